"""Grader: a warm-up, then half a cosine down to nothing."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from transformer.learning.schedule import cosine_schedule

TOTAL, WARMUP = 40, 8


def factors(steps, total=TOTAL, warmup=WARMUP):
    return torch.tensor([cosine_schedule(step, total, warmup) for step in steps], dtype=torch.float64)


def test_it_rises_in_a_line_and_falls_as_half_a_cosine():
    step = np.arange(1, TOTAL + 1)
    progress = (step - WARMUP) / (TOTAL - WARMUP)
    rise, fall = step / WARMUP, 0.5 * (1 + np.cos(np.pi * progress))
    mistakes = {
        "it begins at the peak: there is no warm-up": np.where(step <= WARMUP, 1.0, fall),
        "the fall is a whole wave, where half a one is wanted": np.where(
            step <= WARMUP, rise, 0.5 * (1 + np.cos(2 * np.pi * progress))
        ),
        "the fall is twice too large": np.where(step <= WARMUP, rise, 2 * fall),
        "the fall is a straight line, where a cosine is wanted": np.where(step <= WARMUP, rise, 1 - progress),
        "progress begins where the warm-up ends: the warm-up's steps are not subtracted": np.where(
            step <= WARMUP, rise, 0.5 * (1 + np.cos(np.pi * np.minimum(1, step / (TOTAL - WARMUP))))
        ),
        "a sine stands where a cosine is wanted": np.where(step <= WARMUP, rise, 0.5 * (1 + np.sin(np.pi * progress))),
        "the factor rises after the warm-up, where it falls": np.where(
            step <= WARMUP, rise, 0.5 * (1 - np.cos(np.pi * progress))
        ),
        "the two parts do not meet: progress begins where the warm-up ends": np.where(
            step <= WARMUP, rise, 0.5 * (1 + np.cos(np.pi * step / TOTAL))
        ),
    }
    expected = np.where(step <= WARMUP, rise, fall)
    assert_matches(factors(range(1, TOTAL + 1)), expected, "step", name="the factor", mistakes=mistakes, atol=1e-12)


def test_after_the_last_step_it_stays_at_0():
    after = factors([TOTAL, TOTAL + 1, TOTAL + 9])

    assert after.abs().max() < 1e-12, f"value: after the last step the factor is 0, and it is {after.tolist()}"


def test_a_run_that_is_all_warm_up_ends_at_the_peak():
    expected = [0.25, 0.5, 0.75, 1.0]

    assert_matches(factors([1, 2, 3, 4], total=4, warmup=4), expected, "step", name="the factor of a short run")


def test_after_a_run_that_is_all_warm_up_it_is_0():
    assert_matches(factors([5, 9], total=4, warmup=4), [0.0, 0.0], "step", name="the factor after a short run")


@pytest.mark.parametrize(("step", "warmup"), [(0, 10), (3, 0)])
def test_impossible_steps_are_refused(step, warmup):
    assert_refused(cosine_schedule, step, TOTAL, warmup)
