"""Grader: a gate decides, number by number, what passes."""

import numpy as np
import pytest

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.attention import linear
from tests.reference.encoder_decoder import ACTIVATIONS
from tests.reference.language_model import gated_feed_forward
from transformer.feed_forward import GatedFeedForward

BATCH, TIME, D_MODEL, D_FF = 2, 3, 4, 7


@pytest.mark.parametrize("activation", ["silu", "gelu", "relu"])
def test_the_activation_opens_the_gate_and_the_third_matrix_passes_it(activation):
    module, x = given.shaken(GatedFeedForward(D_MODEL, D_FF, activation)), given.normal(BATCH, TIME, D_MODEL)

    output = module(x)

    weights, phi = given.arrays(module), ACTIVATIONS[activation]
    gate, passes = linear(x.numpy(), weights, "fc1"), linear(x.numpy(), weights, "fc3")
    inner = {
        "the third matrix fc3 is missing: nothing is gated": phi(gate),
        "gate and what passes are added, where they are multiplied": phi(gate) + passes,
        "fc1 and fc3 have changed places: the gate is φ(fc1(x))": gate * phi(passes),
        "the activation is on the product, where it is on the gate alone": phi(gate * passes),
        "the activation is on both": phi(gate) * phi(passes),
        "the activation is missing": gate * passes,
        "the gate is a sigmoid, where the activation is asked for": passes / (1 + np.exp(-gate)),
        "the activation is SiLU, whatever was asked for": ACTIVATIONS["silu"](gate) * passes,
        "the gate meets x's own fc1, not fc3": phi(gate) * gate,
    }
    right = linear(phi(gate) * passes, weights, "fc2")
    mistakes = {name: linear(made, weights, "fc2") for name, made in inner.items()}
    mistakes = {name: made for name, made in mistakes.items() if not np.allclose(made, right)}
    assert_matches(output, right, "batch time d_model", mistakes=mistakes)


def test_without_biases_it_is_the_papers_swiglu():
    module, x = given.shaken(GatedFeedForward(D_MODEL, D_FF, bias=False)), given.normal(TIME, D_MODEL)
    fc1, fc2, fc3 = (given.arrays(module)[f"{name}.weight"] for name in ("fc1", "fc2", "fc3"))

    assert_matches(module(x), gated_feed_forward(x.numpy(), fc1, fc3, fc2), "time d_model")


def test_gradients_reach_the_input():
    module, x = given.shaken(GatedFeedForward(D_MODEL, D_FF)), given.normal(BATCH, TIME, D_MODEL)

    assert_gradients_flow(module, x=x)
