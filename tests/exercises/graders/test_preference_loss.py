"""Grader: the reward model's loss."""

import math

import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from rlhf.reward_model import preference_loss
from tests.exercises.graders import given
from tests.reference.rlhf import preference_loss as reference

BATCH = 5


@pytest.fixture
def rewards():
    return given.normal(BATCH), given.normal(BATCH)


def test_it_is_minus_the_log_probability_of_the_choice(rewards):
    chosen, rejected = rewards

    loss = preference_loss(chosen, rejected)

    margin = chosen - rejected
    right = reference(chosen.numpy(), rejected.numpy())
    mistakes = {
        "chosen and rejected have changed places": reference(rejected.numpy(), chosen.numpy()),
        "the sum is taken, where the mean is wanted": right * BATCH,
        "the logarithm is missing": -margin.sigmoid().mean(),
        "the sigmoid is missing": -margin.mean(),
        "the logarithm of the mean is taken, where the mean of the logarithms is wanted": -margin.sigmoid()
        .mean()
        .log(),
    }
    assert_matches(loss, right, name="the loss", scales={"batch": BATCH}, mistakes=mistakes)


def test_without_an_opinion_it_is_ln_2():
    assert_matches(
        preference_loss(torch.ones(3), torch.ones(3)), math.log(2), name="the loss of equal rewards", atol=1e-6
    )


def test_rewards_of_any_size_give_a_finite_loss():
    loss = preference_loss(torch.tensor([0.0]), torch.tensor([300.0]))

    assert_matches(loss, 300.0, name="the loss of a choice taken for impossible")


def test_gradients_reach_both(rewards):
    chosen, rejected = rewards

    assert_gradients_flow(preference_loss, name="the loss", chosen=chosen, rejected=rejected)
