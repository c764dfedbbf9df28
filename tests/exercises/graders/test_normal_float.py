"""Grader: NF4's levels out of the normal distribution."""

import torch

from lessons.exercises.diagnosis import assert_matches
from quant.codebooks import NF4_CODEBOOK, normal_float_codebook


def test_there_are_sixteen_levels_from_minus_1_to_1_in_order():
    levels = normal_float_codebook()

    assert levels.shape == (16,), f"shape: four bits name 16 levels, not {tuple(levels.shape)}"
    assert bool((levels[1:] > levels[:-1]).all()), "property: the levels rise from the first to the last"
    assert float(levels[0]) == -1.0, f"property: the lowest level is -1, not {float(levels[0]):.4f}"
    assert float(levels[-1]) == 1.0, f"property: the highest level is 1, not {float(levels[-1]):.4f}"


def test_one_level_is_exactly_0_with_seven_below_and_eight_above():
    levels = normal_float_codebook()

    zeros = int((levels == 0).sum())
    assert zeros == 1, f"property: exactly one level is 0, and {zeros} are"
    below = int((levels < 0).sum())
    assert below == 7, f"property: seven levels are negative, not {below}"


def test_they_are_the_levels_that_every_program_uses():
    levels = normal_float_codebook()

    known = NF4_CODEBOOK
    mistakes = {"the positive and the negative side have changed places": (-known).sort().values}
    assert_matches(levels, known, "level", name="the codebook", dtype=torch.float32, mistakes=mistakes, atol=1e-6)
