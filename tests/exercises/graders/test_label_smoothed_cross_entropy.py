"""Grader: how surprised is the model, on real tokens only?"""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from tests.exercises.graders import given
from tests.reference.loss import label_smoothed_cross_entropy as reference
from transformer.learning.loss import label_smoothed_cross_entropy

VOCAB, EPSILON = 7, 0.3
TARGET = torch.tensor([[3, 1, 6, 2], [5, 2, 0, 0]])
COUNT, ALL = 6, TARGET.numel()


@pytest.fixture
def logits():
    return 2.0 * given.normal(*TARGET.shape, VOCAB)


def expected(logits, **settings):
    return reference(logits.numpy(), TARGET.numpy(), **settings)


def padding_counts_as_a_token(logits, smoothing):
    return reference(logits.numpy(), TARGET.numpy(), smoothing=smoothing, pad_id=-1)


def smoothed_over_the_others(logits):
    log_probs = logits.log_softmax(-1)
    mine = log_probs.gather(-1, TARGET[..., None])[..., 0]
    losses = -(1 - EPSILON) * mine - EPSILON * (log_probs.sum(-1) - mine) / (VOCAB - 1)
    return losses[TARGET != 0].mean()


def row_means(logits):
    losses = -logits.log_softmax(-1).gather(-1, TARGET[..., None])[..., 0]
    real = TARGET != 0
    return ((losses * real).sum(1) / real.sum(1)).mean()


def test_without_smoothing_it_is_minus_the_log_probability_of_the_right_token(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET)

    probabilities = logits.softmax(-1).gather(-1, TARGET[..., None])[..., 0]
    mistakes = {
        "padding counts as a token": padding_counts_as_a_token(logits, 0.0),
        "the sum is divided by all positions, padding with them": expected(logits) * COUNT / ALL,
        "it is the sum over the tokens, where the mean is wanted": expected(logits) * COUNT,
        "it is the mean of the rows' means: then a token of a short row counts more": row_means(logits),
        "the logarithm is missing": -probabilities[TARGET != 0].mean(),
        "the logits are not turned into log-probabilities": -logits.gather(-1, TARGET[..., None])[..., 0][
            TARGET != 0
        ].mean(),
    }
    assert_matches(loss, expected(logits), name="the loss", mistakes=mistakes)


def test_with_smoothing_a_share_of_the_mass_goes_to_all_tokens_alike(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET, smoothing=EPSILON)

    right = expected(logits, smoothing=EPSILON)
    uniform = -logits.log_softmax(-1).mean(-1)[TARGET != 0].mean()
    mistakes = {
        "the smoothing is not used": expected(logits),
        "ε and 1 - ε have changed places": expected(logits, smoothing=1 - EPSILON),
        "the share is spread over the other tokens only; the right one gets its part too": smoothed_over_the_others(
            logits
        ),
        "the share is not divided by the number of tokens": (1 - EPSILON) * expected(logits)
        + EPSILON * VOCAB * uniform,
        "the right token keeps the whole of its mass": expected(logits) + EPSILON * uniform,
        "padding counts as a token": padding_counts_as_a_token(logits, EPSILON),
    }
    assert_matches(loss, right, name="the loss", mistakes=mistakes)


def test_symbols_that_must_never_be_said_take_no_part(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET, smoothing=EPSILON, never=(4,))

    mistakes = {
        "`never` is not looked at": expected(logits, smoothing=EPSILON),
        "ids of `never` are in the mean of the smoothing: their log-probability is -inf": float("inf"),
        "-inf is multiplied by 0, which is NaN: leave ids of `never` out instead": float("nan"),
    }
    assert_matches(loss, expected(logits, smoothing=EPSILON, never=(4,)), name="the loss", mistakes=mistakes)


def test_padding_may_be_a_symbol_that_must_never_be_said(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET, smoothing=EPSILON, never=(0,))

    assert_matches(loss, expected(logits, smoothing=EPSILON, never=(0,)), name="the loss")


def test_the_sum_is_not_divided(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET, reduction="sum")

    assert_matches(loss, expected(logits) * COUNT, name="the loss", scales={"number of tokens": COUNT})


def test_logits_of_any_size_give_a_finite_loss(logits):
    loss = label_smoothed_cross_entropy(1e4 * logits, TARGET, smoothing=EPSILON)

    assert_matches(loss, expected(1e4 * logits, smoothing=EPSILON), name="the loss")


def test_gradients_reach_the_logits(logits):
    assert_gradients_flow(
        lambda logits: label_smoothed_cross_entropy(logits, TARGET, EPSILON, never=(0, 4)), logits=logits
    )


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_smoothing_that_is_no_share_is_refused(logits, smoothing):
    assert_refused(label_smoothed_cross_entropy, logits, TARGET, smoothing)


def test_nothing_but_padding_is_refused(logits):
    assert_refused(label_smoothed_cross_entropy, logits, torch.zeros_like(TARGET))


def test_one_certain_token_costs_nothing():
    logits = torch.full((1, 1, 3), -1e4)
    logits[0, 0, 2] = 0.0

    assert_matches(label_smoothed_cross_entropy(logits, torch.tensor([[2]])), np.zeros(()), name="the loss")


def test_the_id_of_padding_is_the_one_that_was_given(logits):
    loss = label_smoothed_cross_entropy(logits, TARGET, pad_id=2)

    mistakes = {"pad_id 2 is not looked at": expected(logits)}
    assert_matches(loss, expected(logits, pad_id=2), name="the loss", mistakes=mistakes)
