"""Grader: each answer against the others to the same prompt."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from rlhf.grpo_loss import grpo_advantages
from tests.exercises.graders import given
from tests.reference.rlhf import grpo_advantages as reference

GROUPS, SIZE = 3, 4


@pytest.fixture
def rewards():
    """Groups at different heights and of different spread."""
    return (
        given.normal(GROUPS, SIZE) * torch.tensor([[1.0], [3.0], [0.3]]) + torch.tensor([[0.0], [5.0], [-2.0]])
    ).flatten()


def by_group(rewards, ddof=1, epsilon=1e-4):
    groups = rewards.reshape(GROUPS, SIZE).numpy()
    away = groups - groups.mean(1, keepdims=True)
    return (away / (groups.std(1, ddof=ddof, keepdims=True) + epsilon)).ravel()


def test_an_advantage_is_the_distance_from_the_groups_mean_in_deviations(rewards):
    advantages = grpo_advantages(rewards, SIZE)

    array = rewards.numpy()
    in_turns = array.reshape(SIZE, GROUPS)
    mistakes = {
        "the whole batch is one group": (array - array.mean()) / (array.std(ddof=1) + 1e-4),
        "the deviation is the biased one": by_group(rewards, ddof=0),
        "the deviation is the biased one, and 1e-4 is not added to it": by_group(rewards, ddof=0, epsilon=1e-8),
        "1e-4 is not added to the deviation": by_group(rewards, epsilon=1e-8),
        "it is divided by the variance, not by its root": (
            (array.reshape(GROUPS, SIZE) - array.reshape(GROUPS, SIZE).mean(1, keepdims=True))
            / (array.reshape(GROUPS, SIZE).var(1, ddof=1, keepdims=True) + 1e-4)
        ).ravel(),
        "the mean is not subtracted": (
            array.reshape(GROUPS, SIZE) / (array.reshape(GROUPS, SIZE).std(1, ddof=1, keepdims=True) + 1e-4)
        ).ravel(),
        "nothing is divided by the deviation": (
            array.reshape(GROUPS, SIZE) - array.reshape(GROUPS, SIZE).mean(1, keepdims=True)
        ).ravel(),
        "the groups' members take turns, where they stand one after another": (
            (in_turns - in_turns.mean(0)) / (in_turns.std(0, ddof=1) + 1e-4)
        ).ravel(),
    }
    assert_matches(advantages, reference(array, SIZE), "responses", name="the advantages", mistakes=mistakes, rtol=1e-6)


def test_the_1e_4_keeps_small_spreads_finite():
    rewards = torch.tensor([1.0, 1.0 + 1e-5, 1.0, 1.0], dtype=torch.float64)

    assert_matches(grpo_advantages(rewards, 4), reference(rewards.numpy(), 4), "responses", name="the advantages")


def test_a_group_of_equal_rewards_says_nothing():
    advantages = grpo_advantages(torch.tensor([0.1, 0.1, 0.1, 2.0, 3.0, 4.0], dtype=torch.float64), 3)

    assert_matches(advantages[:3], np.zeros(3), "responses", name="the advantages of equal rewards", atol=0.0)


def test_without_the_deviation_it_is_the_distance_from_the_mean(rewards):
    advantages = grpo_advantages(rewards, SIZE, divide_by_deviation=False)

    groups = rewards.reshape(GROUPS, SIZE)
    assert_matches(advantages, (groups - groups.mean(1, keepdim=True)).flatten(), "responses", name="the advantages")


@pytest.mark.parametrize("size", [1, 5])
def test_rewards_that_are_no_groups_are_refused(rewards, size):
    assert_refused(grpo_advantages, rewards, size)
