"""Grader: LoRA's update, and the plain layer that a merge makes of it."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from peft import LoraConfig, get_peft_model
from peft.lora import LoraLinear
from tests.exercises.graders import given
from transformer import Transformer

RANK, ALPHA = 2, 6.0
SCALES = {"α/r": ALPHA / RANK, "α": ALPHA, "r": RANK, "(α/r)²": (ALPHA / RANK) ** 2}


@pytest.fixture
def layer():
    return given.scattered(LoraLinear(given.base(), RANK, ALPHA).double())


@pytest.fixture
def x():
    return given.normal(2, 3, 7)


def numbers(layer):
    names = ("base.weight", "base.bias", "lora_A.weight", "lora_B.weight")
    return (given.arrays(layer)[name] for name in names)


def test_the_update_is_the_scaled_product_of_b_and_a_with_x(layer, x):
    delta = layer.delta(x)

    weight, bias, down, up = numbers(layer)
    right = ALPHA / RANK * x.numpy() @ down.T @ up.T
    mistakes = {
        "the base's output is in it already; delta is only what is added": right + x.numpy() @ weight.T + bias,
    }
    assert_matches(delta, right, "batch time d_out", name="delta(x)", scales=SCALES, mistakes=mistakes)


def test_the_layer_is_the_base_plus_the_update(layer, x):
    weight, bias, down, up = numbers(layer)

    right = x.numpy() @ (weight + ALPHA / RANK * up @ down).T + bias
    assert_matches(layer(x), right, "batch time d_out", scales=SCALES)


def test_dropout_falls_on_the_input_of_a(x):
    layer = given.scattered(LoraLinear(given.base(), RANK, ALPHA, dropout=0.5).double()).train()
    layer.dropout.forward = torch.zeros_like

    mistakes = {"dropout is not used": layer.scaling * layer.lora_B(layer.lora_A(x))}
    assert_matches(
        layer.delta(x), np.zeros((2, 3, 5)), "batch time d_out", name="delta(x) without x", mistakes=mistakes
    )


def test_dropout_falls_on_nothing_else(x):
    layer = given.scattered(LoraLinear(given.base(), RANK, ALPHA, dropout=0.5).double()).train()
    lost = []
    layer.dropout.forward = lambda value: lost.append(value) or value

    layer.delta(x)

    assert len(lost) == 1, f"property: dropout is called once, not {len(lost)} times"
    assert lost[0].shape == x.shape, (
        f"property: dropout falls on x, {tuple(x.shape)}, not on something of shape {tuple(lost[0].shape)}"
    )


def test_merging_leaves_the_base_as_it_is(layer):
    before = layer.base.weight.clone()

    layer.merged()

    assert torch.equal(layer.base.weight, before), "mutated: merged() wrote into the base, which others still use"


def test_merged_it_is_a_plain_layer_of_the_same_numbers(layer, x):
    merged = layer.merged()

    weight, bias, down, up = numbers(layer)
    assert type(merged) is torch.nn.Linear, f"kind: merged() gives a plain nn.Linear, not a {type(merged).__name__}"
    mistakes = {
        "the update is not in the weight": weight,
        "the update alone is there, without W": ALPHA / RANK * up @ down,
        "the update is added without its scale α/r": weight + up @ down,
    }
    wanted = weight + ALPHA / RANK * up @ down
    assert_matches(merged.weight, wanted, "d_out d_in", name="the merged weight", scales=SCALES, mistakes=mistakes)
    assert_matches(merged.bias, bias, "d_out", name="the merged bias")
    assert_matches(merged(x), layer(x), "batch time d_out", name="what the merged layer computes")


def test_gradients_reach_the_input(layer, x):
    assert_gradients_flow(layer, x=x)


def test_a_model_learns_with_it():
    model = get_peft_model(Transformer(given.config()), LoraConfig(r=2, lora_alpha=8, target_modules="all-linear"))
    source, target = torch.randint(3, 17, (8, 5)), torch.randint(3, 17, (8, 4))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(source, target).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))

    fell = f"it went from {losses[0]:.2f} to {losses[-1]:.2f}"
    assert losses[-1] < 0.5 * losses[0], f"property: twenty steps halve the loss on eight pairs; {fell}"
