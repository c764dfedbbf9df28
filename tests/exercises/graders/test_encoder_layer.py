"""Grader: look around, then think."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.encoder_decoder import encoder_layer
from transformer.encoder import EncoderLayer

BATCH, TIME = 2, 5


def layer_and_input(order="post"):
    config = given.config(norm=order)
    return given.shaken(EncoderLayer(config)), given.normal(BATCH, TIME, config.d_model)


def expected(layer, x, order, masks=(None, None)):
    weights = given.arrays(layer)
    return np.stack([encoder_layer(row.numpy(), weights, 3, order, mask) for row, mask in zip(x, masks)])


@pytest.mark.parametrize("order", ["post", "pre"])
def test_attention_then_feed_forward_each_inside_its_add_and_norm(order):
    layer, x = layer_and_input(order)
    attention, thought = layer.self_attention_norm, layer.feed_forward_norm

    output = layer(x)

    def look(x):
        return layer.self_attention(x, x, x)

    mistakes = {
        "the feed forward is missing": attention(x, look),
        "the self-attention is missing": thought(x, layer.feed_forward),
        "the feed forward comes first": attention(thought(x, layer.feed_forward), look),
        "the norms have changed places": attention(thought(x, look), layer.feed_forward),
        "the sub-layers have no residual": layer.feed_forward(look(x)),
    }
    normed = "in pre-norm order Add & Norm hands the sub-layer a normed x, the argument of its own function"
    if order == "pre":
        mistakes[f"the attention is given the x from outside: {normed}"] = thought(
            attention(x, lambda _: look(x)), layer.feed_forward
        )
        mistakes[f"keys and values are made of the x from outside: {normed}"] = thought(
            attention(x, lambda own: layer.self_attention(own, x, x)), layer.feed_forward
        )
    assert_matches(output, expected(layer, x, order), "batch source d_model", mistakes=mistakes)


def test_the_mask_says_which_positions_are_real():
    layer, x = layer_and_input()
    real = torch.tensor([[True] * 5, [True, True, True, False, False]])

    output = layer(x, real[:, None, None, :])

    masks = [np.tile(row.numpy(), (TIME, 1)) for row in real]
    mistakes = {"the mask is not handed on": expected(layer, x, "post")}
    assert_matches(output, expected(layer, x, "post", masks), "batch source d_model", mistakes=mistakes)


def test_gradients_reach_the_input():
    layer, x = layer_and_input()

    assert_gradients_flow(layer, x=x)
