"""Grader: every vector to mean 0 and variance 1."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, inputs_unchanged
from tests.exercises.graders import given
from tests.reference.layer_norm import layer_norm
from transformer.add_norm import LayerNorm

BATCH, TIME, D_MODEL, EPS = 2, 3, 5, 0.1
"""A large ε, so that its place shows."""


def norm_and_input():
    return given.shaken(LayerNorm(D_MODEL, EPS)), 3.0 + 2.0 * given.normal(BATCH, TIME, D_MODEL)


def expected(norm, x):
    return np.stack([layer_norm(row.numpy(), *given.arrays(norm).values(), EPS) for row in x])


def mistakes(norm, x):
    weight, bias = given.arrays(norm).values()
    x = x.numpy()
    centered = x - x.mean(-1, keepdims=True)
    biased, unbiased = x.var(-1, keepdims=True), x.var(-1, keepdims=True, ddof=1)
    normalized = centered / np.sqrt(biased + EPS)
    return {
        "the variance is divided by d_model - 1, where it is divided by d_model": weight
        * centered
        / np.sqrt(unbiased + EPS)
        + bias,
        "ε is added to the deviation, outside the root": weight * centered / (np.sqrt(biased) + EPS) + bias,
        "the variance is divided by d_model - 1, and ε is added outside of the root": weight
        * centered
        / (np.sqrt(unbiased) + EPS)
        + bias,
        "mean and variance are taken over the whole tensor, not over each vector": weight
        * (x - x.mean())
        / np.sqrt(x.var() + EPS)
        + bias,
        "mean and variance are taken over the batch, not over the features": weight
        * (x - x.mean(0))
        / np.sqrt(x.var(0) + EPS)
        + bias,
        "the mean is not subtracted, and the mean square stands for the variance (RMS norm)": weight
        * x
        / np.sqrt((x**2).mean(-1, keepdims=True) + EPS)
        + bias,
        "ε is missing": weight * centered / np.sqrt(biased) + bias,
        "it is divided by the variance, not by its root": weight * centered / (biased + EPS) + bias,
        "the mean is not subtracted": weight * x / np.sqrt(biased + EPS) + bias,
        "the gain `weight` is missing": normalized + bias,
        "the bias is missing": weight * normalized,
        "the gain is applied after the bias": weight * (normalized + bias),
        "mean and variance are taken over the time, not over the features": weight
        * (x - x.mean(1, keepdims=True))
        / np.sqrt(x.var(1, keepdims=True) + EPS)
        + bias,
    }


def test_every_vector_gets_mean_0_and_variance_1_then_gain_and_bias():
    norm, x = norm_and_input()

    output = norm(x)

    assert_matches(output, expected(norm, x), "batch time d_model", mistakes=mistakes(norm, x))


def test_a_constant_vector_becomes_the_bias():
    norm, _ = norm_and_input()

    output = norm(torch.full((1, 2, D_MODEL), 7.0, dtype=torch.float64))

    assert_matches(output, np.tile(given.arrays(norm)["bias"], (1, 2, 1)), "batch time d_model")


def test_axes_in_front_do_not_matter():
    norm, x = norm_and_input()

    assert_matches(norm(x[0, 0]), expected(norm, x)[0, 0], "d_model")


def test_the_input_is_not_changed():
    norm, x = norm_and_input()

    with inputs_unchanged(x=x):
        norm(x)


def test_gradients_reach_the_input():
    norm, x = norm_and_input()

    assert_gradients_flow(norm, x=x)
