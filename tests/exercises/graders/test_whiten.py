"""Grader: deviation 1 over the real tokens."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from rlhf.advantages import whiten
from tests.exercises.graders import given
from tests.reference.rlhf import whiten as reference

MASK = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])


@pytest.fixture
def values():
    return 3.0 + 2.0 * given.normal(*MASK.shape)


def with_deviation(values, ddof=0, mask=MASK, power=0.5):
    real = values[mask].numpy()
    out = np.zeros(values.shape)
    out[MASK.numpy()] = (values[MASK].numpy() - real.mean()) / real.var(ddof=ddof) ** power
    return out


def by_row(values, shift, own_mean=True, own_deviation=True):
    """With the mean of each response, or its deviation, or both."""
    mask, plain = MASK.numpy(), np.where(MASK.numpy(), values.numpy(), 0.0)
    count = mask.sum(1, keepdims=True)
    mean = plain.sum(1, keepdims=True) / count if own_mean else plain.sum() / mask.sum()
    squares = np.where(mask, (plain - mean) ** 2, 0.0)
    variance = squares.sum(1, keepdims=True) / count if own_deviation else squares.sum() / mask.sum()
    return np.where(mask, (plain - mean) / np.sqrt(variance + 1e-8) + (0 if shift else mean), 0.0)


@pytest.mark.parametrize("shift", [True, False])
def test_mean_and_deviation_are_those_of_the_real_tokens(values, shift):
    result = whiten(values, MASK, shift)

    right = reference(values.numpy(), MASK.numpy(), shift)
    everything, shared = torch.ones_like(MASK), "where all real tokens of the batch share one"
    mistakes = {
        "padding counts into mean and deviation": with_deviation(values, mask=everything),
        "the variance is the unbiased one: it is divided by the number of tokens": with_deviation(values, ddof=1),
        "it is divided by the variance, not by its root": with_deviation(values, power=1.0),
        f"each response has its own mean and deviation, {shared}": by_row(values, shift),
        f"each response has its own mean, {shared}": by_row(values, shift, own_deviation=False),
        f"each response has its own deviation, {shared}": by_row(values, shift, own_mean=False),
        "the mean is not added back: shift_mean is False": reference(values.numpy(), MASK.numpy(), True),
        "the mean is added back: shift_mean is True": reference(values.numpy(), MASK.numpy(), False),
    }
    differing = {k: v for k, v in mistakes.items() if not np.allclose(v, right)}
    assert_matches(result, right, "batch time", open=MASK, mistakes=differing)


def test_padding_is_0_whatever_stood_there(values):
    values[~MASK] = float("nan")

    for shift in (True, False):
        result = whiten(values, MASK, shift)
        assert_matches(result, reference(values.nan_to_num(0.0).numpy(), MASK.numpy(), shift), "batch time")


def test_epsilon_stands_under_the_root(values):
    tiny = 1e-4 * values  # their variance is as small as ε

    result = whiten(tiny, MASK)

    real = tiny[MASK]
    away, variance = np.where(MASK, tiny - real.mean(), 0.0), float(real.var(correction=0))
    mistakes = {
        "ε is added to the deviation, where it stands under the root: √(var + ε)": away / (variance**0.5 + 1e-8),
        "there is no ε": away / variance**0.5,
        "ε is another number than 1e-8": away / (variance + 1e-5) ** 0.5,
    }
    assert_matches(result, reference(tiny.numpy(), MASK.numpy(), True), "batch time", mistakes=mistakes)


def test_equal_values_stay_finite():
    result = whiten(torch.full((1, 3), 5.0, dtype=torch.float64), torch.ones(1, 3, dtype=torch.bool))

    assert_matches(result, np.zeros((1, 3)), "batch time", name="the whitened values of a constant")


def test_a_mask_without_a_token_is_refused(values):
    assert_refused(whiten, values, torch.zeros_like(MASK))
