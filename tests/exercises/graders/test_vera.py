"""Grader: two vectors that weight shared random directions."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.vera import Projections, VeraLinear
from tests.exercises.graders import given
from tests.reference.lora_family import vera

RANK, WIDEST_IN, WIDEST_OUT = 4, 9, 8


@pytest.fixture
def layer():
    shared = Projections(RANK, WIDEST_IN, WIDEST_OUT, seed=3).double()
    return given.scattered(VeraLinear(given.base(), shared).double())


def expected(layer, x):
    arrays = given.arrays(layer)
    names = ("base.weight", "base.bias", "projections.vera_A", "projections.vera_B", "vera_lambda_b", "vera_lambda_d")
    return vera(x.numpy(), *(arrays[name] for name in names))


def test_a_layer_uses_as_much_of_the_shared_matrices_as_it_is_large(layer):
    up, down = layer.shared()

    shared = layer.projections
    assert_matches(up, shared.vera_B[:5], "d_out rank", name="this layer's part of B")
    assert_matches(down, shared.vera_A[:, :7], "rank d_in", name="this layer's part of A")


def test_the_vectors_weight_what_comes_out_of_a_and_what_comes_out_of_b(layer):
    x = given.normal(3, 7)
    up, down = layer.projections.vera_B[:5], layer.projections.vera_A[:, :7]
    lambda_b, lambda_d = layer.vera_lambda_b, layer.vera_lambda_d

    mistakes = {
        "λ_d is missing": lambda_b * (x @ down.T @ up.T),
        "λ_b is missing": (lambda_d * (x @ down.T)) @ up.T,
        "both vectors are missing": x @ down.T @ up.T,
    }
    wanted = expected(layer, x) - layer.base(x).numpy()
    assert_matches(layer.delta(x), wanted, "batch d_out", name="delta(x)", mistakes=mistakes)


def test_dropout_falls_on_the_input(layer):
    layer.dropout.forward = torch.zeros_like

    x = given.normal(3, 7)
    wanted = torch.zeros(3, 5)
    assert_matches(layer.delta(x), wanted, "batch d_out", name="delta(x) when dropout leaves nothing")


def test_merged_it_is_a_plain_layer_of_the_same_numbers(layer):
    x = given.normal(3, 7)

    mistakes = {"the update is not in the weight": layer.base(x)}
    assert_matches(
        layer.merged()(x), expected(layer, x), "batch d_out", name="what the merged layer computes", mistakes=mistakes
    )


def test_gradients_reach_both_vectors_and_nothing_that_is_shared(layer):
    layer.delta(given.normal(3, 7)).sum().backward()

    assert layer.vera_lambda_b.grad is not None, "gradient: no gradient reaches λ_b"
    assert layer.vera_lambda_d.grad is not None, "gradient: no gradient reaches λ_d"
