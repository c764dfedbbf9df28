"""Grader: LoRA turns the rows, a magnitude stretches them."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.dora import DoraLinear, row_lengths
from tests.exercises.graders import given
from tests.reference.lora_family import dora, dora_gradients

RANK, ALPHA = 2, 6.0
SCALES = {"α/r": ALPHA / RANK}
AXES = {"lora_A.weight": "rank d_in", "lora_B.weight": "d_out rank", "lora_magnitude_vector": "d_out"}


@pytest.fixture
def layer():
    return given.scattered(DoraLinear(given.base(), RANK, ALPHA).double())


@pytest.fixture
def x():
    return given.normal(4, 7)


def numbers(layer):
    names = ("base.weight", "base.bias", "lora_A.weight", "lora_B.weight", "lora_magnitude_vector")
    return [given.arrays(layer)[name] for name in names]


def test_a_rows_length_is_its_euclidean_norm():
    weight = given.normal(5, 7)

    right = np.linalg.norm(weight.numpy(), axis=1)
    mistakes = {
        "it is the square of the length": right**2,
        "it is the sum of the row's numbers": weight.numpy().sum(1),
        "it is the sum of the absolute numbers": np.abs(weight.numpy()).sum(1),
    }
    assert_matches(row_lengths(weight), right, "d_out", name="the lengths", mistakes=mistakes)


def test_dividing_by_the_length_of_a_row_of_zeros_stays_finite():
    weight = torch.zeros(2, 3, dtype=torch.float64)

    assert (1.0 / row_lengths(weight)).isfinite().all(), (
        "finite: 1 / 0 is infinite: a row of zeros needs a smallest length"
    )


def test_the_directions_are_the_weight_and_the_scaled_product(layer):
    weight, _, down, up, _ = numbers(layer)

    right = weight + ALPHA / RANK * up @ down
    mistakes = {"the base's weight is missing": right - weight, "the update is missing": weight}
    assert_matches(layer.directions(), right, "d_out d_in", name="V", scales=SCALES, mistakes=mistakes)


def test_the_output_is_that_of_stretched_directions(layer, x):
    weight, bias, down, up, magnitude = numbers(layer)

    right = dora(x.numpy(), weight, bias, down, up, magnitude, ALPHA / RANK)
    lora = x.numpy() @ (weight + ALPHA / RANK * up @ down).T + bias
    stretch = magnitude / np.linalg.norm(weight + ALPHA / RANK * up @ down, axis=1)
    mistakes = {
        "the stretch is missing: that is LoRA": lora,
        "the bias is stretched too": stretch * lora,
        "the base's rows are not stretched": x.numpy() @ weight.T
        + bias
        + stretch * (x.numpy() @ (ALPHA / RANK * up @ down).T),
        "the update is not stretched": stretch * (x.numpy() @ weight.T)
        + bias
        + x.numpy() @ (ALPHA / RANK * up @ down).T,
        "the rows are multiplied by the magnitude and not divided by their length": magnitude * (lora - bias) + bias,
    }
    assert_matches(layer(x), right, "batch d_out", scales=SCALES, mistakes=mistakes)


def test_the_gradient_takes_the_lengths_for_constants(layer, x):
    upstream = given.normal(4, 5)
    weight, _, down, up, magnitude = numbers(layer)

    (upstream * layer(x)).sum().backward()

    wanted = dora_gradients(x.numpy(), weight, down, up, magnitude, ALPHA / RANK, upstream.numpy())
    for name, gradient in wanted.items():
        came = dict(layer.named_parameters())[name].grad
        assert came is not None, f"gradient: no gradient reaches {name}"
        said = f"the gradient of {name} (no gradient passes through the lengths)"
        assert_matches(came, gradient, AXES[name], name=said)


def test_in_training_the_base_reads_x_and_the_rest_what_dropout_leaves():
    layer = given.scattered(DoraLinear(given.base(), RANK, ALPHA, dropout=0.5).double()).train()
    layer.dropout.forward = torch.zeros_like
    x = given.normal(4, 7)

    mistakes = {"dropout is not used": DoraLinear.forward(layer.eval(), x)}
    assert_matches(layer.train()(x), layer.base(x), "batch d_out", name="the output without x'", mistakes=mistakes)


def test_merged_it_is_a_plain_layer_of_the_same_numbers(layer, x):
    merged = layer.merged()

    weight, bias, down, up, magnitude = numbers(layer)
    directions = weight + ALPHA / RANK * up @ down
    stretch = magnitude / np.linalg.norm(directions, axis=1)
    mistakes = {"the directions are not stretched": directions}
    assert_matches(
        merged.weight, stretch[:, None] * directions, "d_out d_in", name="the merged weight", mistakes=mistakes
    )
    mistakes = {"the bias is stretched too: it stays as it is": stretch * bias}
    assert_matches(merged.bias, bias, "d_out", name="the merged bias", mistakes=mistakes)
