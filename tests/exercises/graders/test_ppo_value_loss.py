"""Grader: PPO's loss of the values."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from rlhf.ppo_loss import ppo_value_loss
from tests.exercises.graders import given
from tests.reference.rlhf import ppo_value_loss as reference

MASK = torch.tensor([[True, True, True, False], [True, False, False, False], [True, True, True, True]])
CLIP = 0.3


@pytest.fixture
def parts():
    old = given.normal(*MASK.shape)
    return old + given.normal(*MASK.shape), old, given.normal(*MASK.shape)


def mean(values):
    return values[MASK].mean()


def test_it_is_half_the_mean_of_the_worse_of_two_squared_errors(parts):
    values, old, returns = parts

    loss = ppo_value_loss(*parts, MASK, CLIP)

    near = old + (values - old).clamp(-CLIP, CLIP)
    plain, clipped = (values - returns) ** 2, (near - returns) ** 2
    mistakes = {
        "the ½ is missing": mean(torch.maximum(plain, clipped)),
        "the better of the two cases is taken": 0.5 * mean(torch.minimum(plain, clipped)),
        "nothing is clipped": 0.5 * mean(plain),
        "only the clipped case is taken": 0.5 * mean(clipped),
        "the value itself is clipped, where its change is": 0.5
        * mean(torch.maximum(plain, (values.clamp(-CLIP, CLIP) - returns) ** 2)),
        "the value is clipped to 1 ± ε, as if it were a ratio; its change is clipped, to ± ε": 0.5
        * mean(torch.maximum(plain, (values.clamp(1 - CLIP, 1 + CLIP) - returns) ** 2)),
        "the old value is not added to the clipped change": 0.5
        * mean(torch.maximum(plain, ((values - old).clamp(-CLIP, CLIP) - returns) ** 2)),
        "the ratio of new and old value is clipped, where their difference is": 0.5
        * mean(torch.maximum(plain, (old * (values / old).clamp(1 - CLIP, 1 + CLIP) - returns) ** 2)),
        "the change is clipped around the returns, where it is around the old values": 0.5
        * mean(torch.maximum(plain, (values - returns).clamp(-CLIP, CLIP) ** 2)),
        "the errors are not squared": 0.5 * mean(torch.maximum(plain.sqrt(), clipped.sqrt())),
        "padding counts into the mean": 0.5 * torch.maximum(plain, clipped)[MASK].sum() / MASK.numel(),
    }
    right = reference(*(x.numpy() for x in parts), MASK.numpy(), CLIP)
    assert_matches(loss, right, name="the loss", mistakes=mistakes)


def test_padding_may_hold_anything(parts):
    values, old, returns = parts
    before = ppo_value_loss(values, old, returns, MASK, CLIP)
    values[~MASK], old[~MASK], returns[~MASK] = float("nan"), float("inf"), 1e9

    loss = ppo_value_loss(values.requires_grad_(), old, returns, MASK, CLIP)
    loss.backward()

    assert_matches(loss, before, name="the loss with rubbish on padding")
    assert values.grad is not None, "gradient: no gradient reaches the values"
    assert values.grad.isfinite().all(), "gradient: the rubbish on padding comes back in the gradient: cut it out first"


def test_gradients_reach_the_values(parts):
    values, old, returns = parts

    assert_gradients_flow(
        lambda values: ppo_value_loss(values, old, returns, MASK, CLIP), name="the loss", values=values
    )


def test_the_usual_clip_is_a_fifth(parts):
    right = reference(*(x.numpy() for x in parts), MASK.numpy(), 0.2)

    assert_matches(ppo_value_loss(*parts, MASK), right, name="the loss without a given clip")


def test_a_clip_of_0_is_refused(parts):
    assert_refused(ppo_value_loss, *parts, MASK, 0.0)
