"""Grader: one vector for a sentence, whatever the padding."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from tests.exercises.graders import given
from tests.reference.pooling import mean_pool as reference
from transformer.pooling import mean_pool

REAL = torch.tensor([[True, True, False, False, False], [True] * 5, [False, False, True, True, True]])


def test_it_is_the_mean_of_the_real_tokens():
    states = given.normal(*REAL.shape, 4)

    pooled = mean_pool(states, REAL)

    values, real = states.numpy(), REAL.numpy()
    kept = np.where(real[:, :, None], values, 0.0)
    mistakes = {
        "padding is in the sum and in the number: it is the mean of all places": values.mean(1),
        "padding counts in the number: it is divided by the length of the row": kept.mean(1),
        "the sum lacks its division by the number of real tokens": kept.sum(1),
        "padding is in the sum": values.sum(1) / real.sum(1)[:, None],
        "all rows are divided by one number: each row has its own": kept.sum(1) / real.sum(),
        "it is the first token's vector, not the mean": values[:, 0],
        "it is the maximum, not the mean": np.where(real[:, :, None], values, -np.inf).max(1),
        "the mask is turned round: the mean is that of the padding": np.where(real[:, :, None], 0.0, values).sum(1)
        / np.maximum((~real).sum(1), 1)[:, None],
    }
    assert_matches(pooled, reference(values, real), "batch d_model", name="the pooled vectors", mistakes=mistakes)


def test_what_stands_on_padding_changes_nothing():
    states = given.normal(*REAL.shape, 4)
    right = reference(states.numpy(), REAL.numpy())

    pooled = mean_pool(states.masked_fill(~REAL[:, :, None], float("nan")), REAL)

    assert_matches(pooled, right, "batch d_model", name="the pooled vectors where padding holds NaN")


def test_the_type_is_that_of_the_states():
    pooled = mean_pool(given.normal(*REAL.shape, 4).float(), REAL)

    assert pooled.dtype == torch.float32, f"dtype: float32 came, the result is {pooled.dtype}"


def test_a_row_without_a_real_token_is_refused():
    real = REAL.clone()
    real[1] = False

    assert_refused(mean_pool, given.normal(*REAL.shape, 4), real)
