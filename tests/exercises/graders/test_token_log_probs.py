"""Grader: what the policy thinks of each token."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from rlhf.responses import token_log_probs
from tests.exercises.graders import given

BATCH, TIME, VOCAB = 2, 3, 6
RESPONSES = torch.tensor([[1, 5, 0], [3, 3, 2]])


@pytest.fixture
def logits():
    return 2.0 * given.normal(BATCH, TIME, VOCAB)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_each_token_gets_the_log_probability_of_what_was_said(logits, temperature):
    result = token_log_probs(logits, RESPONSES, temperature)

    def chosen(log_probs):
        return log_probs.gather(-1, RESPONSES[..., None])[..., 0]

    right = chosen((logits / temperature).log_softmax(-1))
    mistakes = {
        "the temperature is not used": chosen(logits.log_softmax(-1)),
        "the temperature multiplies, where it divides": chosen((logits * temperature).log_softmax(-1)),
        "the logits are not normalized": chosen(logits / temperature),
        "these are probabilities, not their logarithms": right.exp(),
        "the softmax runs over the time": chosen((logits / temperature).log_softmax(1)),
        "the best token is scored, not the one that was said": (logits / temperature).log_softmax(-1).max(-1).values,
    }
    differing = {k: v for k, v in mistakes.items() if not torch.allclose(v, right)}
    assert_matches(result, right, "batch time", name="the log-probabilities", mistakes=differing)


def test_logits_of_any_size_give_finite_log_probabilities(logits):
    result = token_log_probs(1e4 * logits, RESPONSES)

    assert bool(result.isfinite().all()), "finite: log(softmax(z)) overflows: use log_softmax"


def test_half_precision_is_read_in_full(logits):
    assert token_log_probs(logits.bfloat16(), RESPONSES).dtype == torch.float32, (
        "dtype: bfloat16 logits are read in float32"
    )


def test_gradients_reach_the_logits(logits):
    assert_gradients_flow(
        lambda logits: token_log_probs(logits, RESPONSES, 0.7), name="the log-probabilities", logits=logits
    )
