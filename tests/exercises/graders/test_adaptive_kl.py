"""Grader: who sets the price of moving away."""

import pytest

from lessons.exercises.diagnosis import assert_refused
from rlhf.kl import AdaptiveKLController

BETA, TARGET, HORIZON = 0.2, 6.0, 100


def controller():
    return AdaptiveKLController(BETA, TARGET, HORIZON)


def after(kl, steps):
    price = controller()
    price.update(kl, steps)
    return price.beta


@pytest.mark.parametrize(
    ("kl", "steps", "factor", "what"),
    [
        (TARGET, 10, 1.0, "on target the price stays"),
        (1.1 * TARGET, 10, 1.0 + 0.1 * 10 / HORIZON, "a tenth too far raises it by a tenth of steps / horizon"),
        (0.9 * TARGET, 10, 1.0 - 0.1 * 10 / HORIZON, "a tenth too near lowers it"),
        (100.0 * TARGET, 10, 1.0 + 0.2 * 10 / HORIZON, "however far, the error counts as 0.2 at most"),
        (0.0, 10, 1.0 - 0.2 * 10 / HORIZON, "however near, the error counts as -0.2 at least"),
    ],
)
def test_the_price_follows_the_error(kl, steps, factor, what):
    came = after(kl, steps)

    wrong = {
        1.0 + (kl / TARGET - 1.0) * steps / HORIZON: "the error is not clipped to ±0.2",
        1.0 - (factor - 1.0): "it moves the other way",
        factor**HORIZON: "steps is not divided by the horizon",
        1.0 + (factor - 1.0) * HORIZON / steps / steps: "steps and horizon have changed places",
        1.0: "the price does not move",
    }
    looks = next((f": {said}" for value, said in wrong.items() if abs(BETA * value - came) < 1e-12), "")
    assert came == pytest.approx(BETA * factor), (
        f"value: {what}: {BETA} · {factor:.4f} = {BETA * factor:.5f}, not {came}{looks}"
    )


def test_the_steps_of_an_update_count():
    came = after(2 * TARGET, 50)

    assert came == pytest.approx(BETA * 1.1), (
        f"value: half a horizon at the largest error is a factor of 1.1, not {came / BETA}"
    )


@pytest.mark.parametrize("kl", [float("nan"), float("inf")])
def test_a_divergence_that_is_no_number_is_refused(kl):
    assert_refused(controller().update, kl, 10)


@pytest.mark.parametrize("steps", [0, 500])
def test_impossible_steps_are_refused(steps):
    assert_refused(controller().update, TARGET, steps)
