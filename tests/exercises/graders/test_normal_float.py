"""Grader: NF4's levels out of the normal distribution."""

from statistics import NormalDist

import numpy as np
import pytest
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


@pytest.mark.parametrize("levels", [4, 8, 32])
def test_other_numbers_of_levels_come_by_the_same_steps(levels):
    """With the quantiles of Python's own normal distribution."""
    outermost = 1 - (1 / (2 * levels) + 1 / (2 * levels - 2)) / 2
    shares = [np.linspace(outermost, 0.5, levels // 2 + extra)[:-1] for extra in (0, 1)]
    negative, positive = ([NormalDist().inv_cdf(share) for share in side] for side in shares)
    expected = np.sort([*np.negative(negative), 0.0, *positive]) / max(positive)

    assert_matches(normal_float_codebook(levels), expected, "level", name="the codebook", atol=1e-6)
