"""Grader: PPO's clipped surrogate."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from rlhf.ppo_loss import clipped_surrogate, ppo_policy_loss
from tests.exercises.graders import given
from tests.reference.rlhf import ppo_policy_loss as reference

MASK = torch.tensor([[True, True, True, False], [True, False, False, False], [True, True, True, True]])
CLIP = 0.3


@pytest.fixture
def parts():
    """Ratios on both sides of both edges, advantages of both signs."""
    old = -given.normal(*MASK.shape).abs()
    return old + 0.8 * given.normal(*MASK.shape), old, given.normal(*MASK.shape)


def per_token(log_probs, old, advantages, choose, clip=CLIP):
    ratio = (log_probs - old).exp()
    plain, near = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.where(MASK, choose(plain, near), 0.0)


def with_ratio(ratio, advantages, clip=CLIP):
    """The worse of the two cases, of something that is taken for the ratio."""
    return torch.where(MASK, torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)), 0.0)


def test_each_token_takes_the_worse_of_two_cases(parts):
    result = clipped_surrogate(*parts, MASK, CLIP)

    right = per_token(*parts, torch.maximum)
    log_probs, old, advantages = parts
    mistakes = {
        "exp is missing: the ratio is the exponential of the difference of the log-probabilities": with_ratio(
            log_probs - old, advantages
        ),
        "the ratio is one of log-probabilities, where it is one of probabilities: exp of their difference": with_ratio(
            log_probs / old, advantages
        ),
        "1 + the difference of the log-probabilities stands for the ratio, which it only resembles near 1": with_ratio(
            1 + log_probs - old, advantages
        ),
        "the ratio is upside down: it is π / π_old": with_ratio((old - log_probs).exp(), advantages),
        "the ratio is the new probability itself, without the old one": with_ratio(log_probs.exp(), advantages),
        "the better of the two cases is taken: a step too far would be rewarded": per_token(*parts, torch.minimum),
        "the ratio is not clipped": per_token(*parts, lambda plain, near: plain),
        "only the clipped case is taken": per_token(*parts, lambda plain, near: near),
        "the sign is wrong: a loss falls when what went well becomes likelier": -per_token(*parts, torch.minimum),
        "the difference of the log-probabilities stands where the ratio is wanted": torch.where(
            MASK, -parts[2] * (parts[0] - parts[1]), 0.0
        ),
    }
    assert_matches(result, right, "batch time", name="the surrogate", mistakes=mistakes)


def test_the_loss_is_the_mean_over_real_tokens(parts):
    loss = ppo_policy_loss(*parts, MASK, CLIP)

    right = reference(*(x.numpy() for x in parts), MASK.numpy(), CLIP)
    mistakes = {
        "padding counts into the mean": right * int(MASK.sum()) / MASK.numel(),
        "the sum is taken, where the mean is wanted": right * int(MASK.sum()),
        "each response has its own mean, where all tokens count alike": (
            per_token(*parts, torch.maximum).sum(1) / MASK.sum(1)
        ).mean(),
    }
    assert_matches(loss, right, name="the loss", mistakes=mistakes)


def test_padding_may_hold_anything(parts):
    log_probs, old, advantages = parts
    log_probs[~MASK], advantages[~MASK] = float("nan"), float("inf")

    result = clipped_surrogate(log_probs, old, advantages, MASK, CLIP)

    assert_matches(result[~MASK], np.zeros(4), "token", name="the surrogate on padding")


def test_where_nothing_has_moved_the_gradient_is_the_plain_policy_gradient(parts):
    _, old, advantages = parts
    log_probs = old.clone().requires_grad_()

    ppo_policy_loss(log_probs, old, advantages, MASK, CLIP).backward()

    wanted = torch.where(MASK, -advantages, 0.0) / MASK.sum()
    assert log_probs.grad is not None, "gradient: no gradient reaches the log-probabilities"
    assert_matches(log_probs.grad, wanted, "batch time", name="the gradient at ratio 1")


def test_gradients_are_those_of_the_function(parts):
    log_probs, old, advantages = parts

    assert_gradients_flow(
        lambda log_probs: ppo_policy_loss(log_probs, old, advantages, MASK, CLIP), name="the loss", log_probs=log_probs
    )


def test_the_usual_clip_is_a_fifth(parts):
    assert_matches(
        clipped_surrogate(*parts, MASK), per_token(*parts, torch.maximum, clip=0.2), "batch time", name="the surrogate"
    )


def test_a_clip_of_0_is_refused(parts):
    assert_refused(clipped_surrogate, *parts, MASK, 0.0)
