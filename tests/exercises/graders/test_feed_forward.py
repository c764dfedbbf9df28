"""Grader: widen, bend, narrow."""

import numpy as np
import pytest

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.attention import linear
from tests.reference.encoder_decoder import ACTIVATIONS, feed_forward
from transformer.feed_forward import FeedForward

BATCH, TIME, D_MODEL, D_FF = 2, 3, 4, 7


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_it_is_two_linear_layers_with_the_activation_between_them(activation):
    module, x = given.shaken(FeedForward(D_MODEL, D_FF, activation)), given.normal(BATCH, TIME, D_MODEL)

    output = module(x)

    weights, bend, array = given.arrays(module), ACTIVATIONS[activation], x.numpy()
    inner = linear(array, weights, "fc1")
    right = feed_forward(array, weights, activation)
    mistakes = {
        "the activation is missing": linear(inner, weights, "fc2"),
        "the activation stands behind the second layer too": bend(right),
        "the activation stands behind the second layer": bend(linear(inner, weights, "fc2")),
        "the input is added; the residual is the business of Add & Norm": array + right,
        "the activation is ReLU, whatever was asked for": feed_forward(array, weights, "relu"),
    }
    assert_matches(
        output, right, "batch time d_model", mistakes={k: v for k, v in mistakes.items() if not np.allclose(v, right)}
    )


def test_gradients_reach_the_input():
    module, x = given.shaken(FeedForward(D_MODEL, D_FF, "gelu")), given.normal(BATCH, TIME, D_MODEL)

    assert_gradients_flow(module, x=x)
