"""Grader: generalized advantage estimation, against the sum that its recursion stands for."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from rlhf.advantages import gae
from tests.exercises.graders import given
from tests.reference.rlhf import gae as reference

MASK = torch.tensor([[True, True, True, False, False], [True] * 5])
GAMMA, LAM = 0.9, 0.8


@pytest.fixture
def parts():
    return given.normal(*MASK.shape), given.normal(*MASK.shape)


def expected(parts, mask=MASK, gamma=GAMMA, lam=LAM):
    return reference(*(x.numpy() for x in parts), mask.numpy(), gamma, lam)


def without_gamma_in_the_recursion(parts):
    """δ with γ, and then δ + λ A'."""
    rewards, values = (np.where(MASK.numpy(), x.numpy(), 0.0) for x in parts)
    following = np.concatenate([values[:, 1:], np.zeros((len(values), 1))], axis=1)
    return reference(rewards + GAMMA * following - values, 0 * values, MASK.numpy(), 1.0, LAM)[0]


def test_an_advantage_is_the_discounted_sum_of_the_surprises_that_follow(parts):
    result = gae(*parts, MASK, GAMMA, LAM)

    assert isinstance(result, tuple), f"kind: a pair (advantages, returns) is wanted, not a {type(result).__name__}"
    rewards, values = parts
    without_values = reference(rewards.numpy(), 0 * values.numpy(), MASK.numpy(), GAMMA, LAM)[0]
    mistakes = {
        "λ is not used": expected(parts, lam=1.0)[0],
        "γ is not used": expected(parts, gamma=1.0)[0],
        "γ is missing in δ = R + γ V' - V": expected(parts, gamma=1.0, lam=GAMMA * LAM)[0],
        "γ is missing in δ + γ λ A'": without_gamma_in_the_recursion(parts),
        "γ and λ have changed places in δ": expected((rewards, values), gamma=LAM, lam=GAMMA)[0],
        "the values are not used: δ = R + γ V' - V": without_values,
        "only δ is there, without what follows it": expected(parts, lam=0.0)[0],
        "what stands behind a response flows into it": expected(parts, torch.ones_like(MASK))[0],
    }
    assert_matches(result[0], expected(parts)[0], "batch time", name="the advantages", mistakes=mistakes)


def test_returns_are_advantages_plus_values(parts):
    _, returns = gae(*parts, MASK, GAMMA, LAM)

    mistakes = {
        "the value is not added": expected(parts)[0],
        "padding is not cut out": expected(parts)[0] + parts[1].numpy(),
    }
    assert_matches(returns, expected(parts)[1], "batch time", name="the returns", open=MASK, mistakes=mistakes)


def test_padding_is_0_whatever_stood_there(parts):
    rewards, values = parts
    rewards[~MASK], values[~MASK] = float("nan"), 100.0

    advantages, returns = gae(rewards, values, MASK, GAMMA, LAM)

    assert_matches(advantages[~MASK], np.zeros(2), "token", name="the advantages on padding")
    assert_matches(returns[~MASK], np.zeros(2), "token", name="the returns on padding")
    assert_matches(advantages, expected((rewards.nan_to_num(0.0), values))[0], "batch time", name="the advantages")


def test_no_number_at_all_on_padding_flows_into_nothing(parts):
    rewards, values = parts
    before = expected(parts)
    rewards[~MASK], values[~MASK] = float("nan"), float("nan")

    result = gae(rewards, values, MASK, GAMMA, LAM)

    for name, came, right in zip(("advantages", "returns"), result, before):
        assert came.isfinite().all(), (
            f"property: NaN on padding flows into the {name}: NaN · 0 is NaN, so cut the padding out before anything is computed"
        )
        assert_matches(came, right, "batch time", name=f"the {name}")


def test_the_usual_gamma_is_1_and_lambda_a_little_less(parts):
    advantages, _ = gae(*parts, MASK)

    assert_matches(advantages, expected(parts, gamma=1.0, lam=0.95)[0], "batch time", name="the advantages")


def test_gradients_reach_the_rewards(parts):
    rewards, values = parts

    assert_gradients_flow(
        lambda rewards, values: gae(rewards, values, MASK, GAMMA, LAM)[0],
        name="the advantages",
        rewards=rewards,
        values=values,
    )
