"""Grader: NF4's levels out of the normal distribution."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.codebooks import NF4_CODEBOOK, normal_float_codebook

OUTERMOST = {
    "1 - 1/32: the mean of 1/32 and 1/30 is left out": 1 - 1 / 32,
    "1 - 1/30: the mean of 1/32 and 1/30 is left out": 1 - 1 / 30,
    "1 - 1/16: a whole step short, where it is half a step": 1 - 1 / 16,
    "1 - 1/15: a whole step short, where it is half a step": 1 - 1 / 15,
    "1 - (1/16 + 1/15) / 2: a whole step short, where it is half a step": 1 - (1 / 16 + 1 / 15) / 2,
    "1 - (1/32 + 1/30): the sum of the two, where their mean is wanted": 1 - (1 / 32 + 1 / 30),
    "1 - 1/31: the mean of two shares is no share of their mean": 1 - 1 / 31,
}


def by_quantiles(levels, outermost):
    """With the quantiles of Python's own normal distribution."""
    shares = [np.linspace(outermost, 0.5, levels // 2 + extra)[:-1] for extra in (0, 1)]
    negative, positive = ([NormalDist().inv_cdf(share) for share in side] for side in shares)
    return np.sort([*np.negative(negative), 0.0, *positive]) / max(positive)


def test_there_are_sixteen_levels_from_minus_1_to_1_in_order():
    levels = normal_float_codebook()

    assert levels.shape == (16,), f"shape: four bits name 16 levels, not {tuple(levels.shape)}"
    twice = levels.sort().values.diff().abs() < 1e-9
    assert not twice.any(), (
        f"property: sixteen levels differ, and {float(levels.sort().values[:-1][twice][0]):.4f} is there twice: "
        "of each side's quantiles the last one, 0.5, is the 0 in the middle"
    )
    assert bool((levels[1:] > levels[:-1]).all()), "property: the levels rise from the first to the last"
    for name, level, bound in (("lowest", float(levels[0]), -1.0), ("highest", float(levels[-1]), 1.0)):
        assert abs(level - bound) < 1e-4, (
            f"property: the {name} level is {bound:.0f}, not {level:.4f}: it is divided by the largest"
        )
        assert level == bound, f"property: the {name} level is {level:.8f}: not all is computed in float64"


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
    mistakes |= {
        f"the outermost quantile is {said}": by_quantiles(16, outermost) for said, outermost in OUTERMOST.items()
    }
    assert_matches(levels, known, "level", name="the codebook", dtype=torch.float32, mistakes=mistakes, atol=1e-6)


@pytest.mark.parametrize("levels", [4, 8, 32])
def test_other_numbers_of_levels_come_by_the_same_steps(levels):
    expected = by_quantiles(levels, 1 - (1 / (2 * levels) + 1 / (2 * levels - 2)) / 2)

    sixteen = "the outermost quantile is that of sixteen levels, whatever `levels` says"
    mistakes = {sixteen: by_quantiles(levels, 1 - (1 / 32 + 1 / 30) / 2)}
    assert_matches(normal_float_codebook(levels), expected, "level", name="the codebook", mistakes=mistakes, atol=1e-6)
