"""Grader: the paper's learning rate."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from tests.reference.schedule import noam
from transformer.learning.schedule import noam_schedule

STEPS, D_MODEL, WARMUP = 40, 64, 10


def test_it_rises_in_a_line_and_falls_with_the_root_of_the_step():
    rates = torch.tensor([noam_schedule(step, D_MODEL, WARMUP) for step in range(1, STEPS + 1)], dtype=torch.float64)

    step = np.arange(1, STEPS + 1)
    rise, fall = step * WARMUP**-1.5, step**-0.5
    mistakes = {
        "it never falls: only the rise is there": D_MODEL**-0.5 * rise,
        "it never rises: only the fall is there": D_MODEL**-0.5 * fall,
        "the larger of the two is taken, where the smaller is wanted": D_MODEL**-0.5 * np.maximum(rise, fall),
        "rise and fall do not meet at the end of the warm-up: the exponent of warmup is -3/2": D_MODEL**-0.5
        * np.minimum(step * WARMUP**-0.5, fall),
    }
    scales = {"√d_model": D_MODEL**0.5, "d_model": D_MODEL}
    assert_matches(rates, noam(STEPS, D_MODEL, WARMUP), "step", name="the rate", scales=scales, mistakes=mistakes)


def test_the_default_warm_up_is_4000_steps():
    assert noam_schedule(4000, 512) == pytest.approx(512**-0.5 * 4000**-0.5), (
        "property: the rate is highest at step 4000"
    )


@pytest.mark.parametrize(("step", "warmup"), [(0, 10), (3, 0)])
def test_impossible_steps_are_refused(step, warmup):
    assert_refused(noam_schedule, step, D_MODEL, warmup)
