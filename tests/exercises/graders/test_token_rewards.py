"""Grader: the KL is paid token by token, the score comes with the last one."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from rlhf.advantages import token_rewards
from rlhf.kl import kl_estimate
from tests.exercises.graders import given
from tests.reference.rlhf import token_rewards as reference

MASK = torch.tensor([[True, True, True, False], [True, False, False, False], [True, True, True, True]])
BETA = 0.3


@pytest.fixture
def parts():
    return given.normal(3), -given.normal(*MASK.shape).abs(), -given.normal(*MASK.shape).abs()


def test_every_token_pays_and_the_last_one_gets_the_score(parts):
    scores, log_probs, reference_log_probs = parts

    rewards = token_rewards(scores, log_probs, reference_log_probs, MASK, BETA)

    mask = MASK.numpy()
    right = reference(scores.numpy(), log_probs.numpy(), reference_log_probs.numpy(), mask, BETA)
    price = -BETA * (log_probs - reference_log_probs).numpy() * mask

    def other(kind):
        return kl_estimate(log_probs, reference_log_probs, kind).numpy() * mask

    last_column, everywhere = price.copy(), price + np.where(mask, scores.numpy()[:, None], 0.0)
    last_column[:, -1] += scores.numpy()
    mistakes = {
        "the score is missing": price,
        "the price is missing": right - price,
        "the price is added, where it is subtracted": right - 2 * price,
        "the score stands on the last column, not on the last real token": last_column,
        "every token gets the score": everywhere,
        "the price is that of k3, where k1 is asked for: log π(y) - log ref(y)": right - price - BETA * other("k3"),
        "the price is that of k2, where k1 is asked for: log π(y) - log ref(y)": right - price - BETA * other("k2"),
        "the price is weighted by π(y): a sample has been drawn by π already": right
        - price
        + price * log_probs.exp().numpy(),
        "padding pays too": right - BETA * ((log_probs - reference_log_probs).numpy() * ~mask),
    }
    assert_matches(rewards, right, "batch time", name="the rewards", scales={"β": BETA}, open=MASK, mistakes=mistakes)


def test_padding_may_hold_anything(parts):
    scores, log_probs, reference_log_probs = parts
    log_probs[~MASK] = float("nan")

    rewards = token_rewards(scores, log_probs, reference_log_probs, MASK, BETA)

    assert_matches(rewards[~MASK], np.zeros(4), "token", name="the rewards on padding")


def test_an_empty_response_is_refused(parts):
    mask = MASK.clone()
    mask[1] = False

    assert_refused(token_rewards, *parts, mask, BETA)
