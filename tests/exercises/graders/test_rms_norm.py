"""Grader: every vector to a mean square of 1."""

import numpy as np
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, inputs_unchanged
from tests.exercises.graders import given
from tests.reference.language_model import rms_norm
from transformer.add_norm import RMSNorm

BATCH, TIME, D_MODEL, EPS = 2, 3, 5, 0.1
"""A large ε, so that its place shows."""


def norm_and_input():
    return given.shaken(RMSNorm(D_MODEL, EPS)), 3.0 + 2.0 * given.normal(BATCH, TIME, D_MODEL)


def expected(norm, x):
    return np.stack([rms_norm(row.numpy(), given.arrays(norm)["weight"], EPS) for row in x])


def mistakes(norm, x):
    weight, x = given.arrays(norm)["weight"], x.numpy()
    square, centered = (x**2).mean(-1, keepdims=True), x - x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True)
    return {
        "it is divided by the root of the variance, where the mean square is meant: no mean is taken off": weight
        * x
        / np.sqrt(variance + EPS),
        "the mean is taken off: that is LayerNorm": weight * centered / np.sqrt(variance + EPS),
        "the mean is taken off before it is divided": weight * centered / np.sqrt(square + EPS),
        "it is divided by the root of the sum of the squares, not of their mean": weight
        * x
        / np.sqrt((x**2).sum(-1, keepdims=True) + EPS),
        "ε is added to the root, outside the root": weight * x / (np.sqrt(square) + EPS),
        "ε is missing": weight * x / np.sqrt(square),
        "it is divided by the mean square, not by its root": weight * x / (square + EPS),
        "the mean square is taken over the whole tensor, not over each vector": weight
        * x
        / np.sqrt((x**2).mean() + EPS),
        "the gain `weight` is missing": x / np.sqrt(square + EPS),
        "it is multiplied by the root, where it is divided": weight * x * np.sqrt(square + EPS),
    }


def test_every_vector_gets_a_mean_square_of_1_then_a_gain():
    norm, x = norm_and_input()

    output = norm(x.clone())

    assert_matches(output, expected(norm, x), "batch time d_model", mistakes=mistakes(norm, x))


def test_a_constant_vector_is_not_emptied():
    norm, _ = norm_and_input()
    x = torch.full((1, 2, D_MODEL), 7.0, dtype=torch.float64)

    assert_matches(norm(x.clone()), expected(norm, x), "batch time d_model", mistakes=mistakes(norm, x))


def test_axes_in_front_do_not_matter():
    norm, x = norm_and_input()

    assert_matches(norm(x[0, 0].clone()), expected(norm, x)[0, 0], "d_model")


def test_the_input_is_not_changed():
    norm, x = norm_and_input()

    with inputs_unchanged(x=x):
        norm(x)


def test_gradients_reach_the_input():
    norm, x = norm_and_input()

    assert_gradients_flow(norm, x=x)
