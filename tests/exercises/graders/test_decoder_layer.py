"""Grader: look back, look across, think."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.encoder_decoder import decoder_layer
from transformer.decoder import DecoderLayer
from transformer.decoding.cache import FixedCache, GrowingCache

BATCH, TARGET, SOURCE = 2, 4, 5
CAUSAL = np.tril(np.ones((TARGET, TARGET), dtype=bool))
REAL = torch.tensor([[True] * SOURCE, [True, True, True, False, False]])


def parts(order="post"):
    config = given.config(norm=order)
    layer = given.shaken(DecoderLayer(config))
    return layer, given.normal(BATCH, TARGET, config.d_model), given.normal(BATCH, SOURCE, config.d_model)


def expected(layer, x, memory, order="post", causal=CAUSAL, real=REAL):
    weights = given.arrays(layer)
    rows = [
        decoder_layer(x[row].numpy(), memory[row].numpy(), weights, 3, order, causal, np.tile(real[row], (TARGET, 1)))
        for row in range(BATCH)
    ]
    return np.stack(rows)


@pytest.mark.parametrize("order", ["post", "pre"])
def test_self_attention_cross_attention_feed_forward_each_inside_its_add_and_norm(order):
    layer, x, memory = parts(order)
    mask, memory_mask = torch.from_numpy(CAUSAL), REAL[:, None, None]

    output = layer(x, memory, mask, memory_mask)

    def without(name):
        y = x
        if name != "back":
            y = layer.self_attention_norm(y, lambda y: layer.self_attention(y, y, y, mask))
        if name != "across":
            y = layer.cross_attention_norm(y, lambda y: layer.cross_attention(y, memory, memory, memory_mask))
        return y if name == "think" else layer.feed_forward_norm(y, layer.feed_forward)

    mistakes = {
        "the self-attention is missing": without("back"),
        "the cross-attention is missing": without("across"),
        "the feed forward is missing": without("think"),
        "the causal mask is not used": expected(layer, x, memory, order, causal=np.ones_like(CAUSAL)),
        "the memory's mask is not used": expected(layer, x, memory, order, real=torch.ones_like(REAL)),
    }
    if order == "pre":
        first = layer.self_attention_norm(x, lambda own: layer.self_attention(own, own, own, mask))
        outside = layer.self_attention_norm(x, lambda _: layer.self_attention(x, x, x, mask))

        def after(looked, across):
            looked = layer.cross_attention_norm(looked, across)
            return layer.feed_forward_norm(looked, layer.feed_forward)

        def look_across(y):
            return layer.cross_attention(y, memory, memory, memory_mask)

        normed = "in pre-norm order Add & Norm hands the sub-layer a normed x, the argument of its own function"
        mistakes |= {
            f"the self-attention is given the x from outside: {normed}": after(outside, look_across),
            f"the cross-attention is given the x from outside: {normed}": after(first, lambda _: look_across(first)),
            f"both attentions are given the x from outside: {normed}": after(outside, lambda _: look_across(outside)),
        }
    assert_matches(output, expected(layer, x, memory, order), "batch target d_model", mistakes=mistakes)


def test_nothing_in_the_memory_but_real_positions_has_an_influence():
    layer, x, memory = parts()
    changed = memory.clone()
    changed[1, 3:] = 100.0

    outputs = [layer(x, m, torch.from_numpy(CAUSAL), REAL[:, None, None]) for m in (memory, changed)]

    assert_matches(outputs[1], outputs[0], "batch target d_model", name="the output after the padding was changed")


def test_one_position_at_a_time_with_a_cache_is_all_at_once():
    layer, x, memory = parts()
    cache = (GrowingCache(capacity=TARGET), FixedCache())

    steps = [layer(x[:, [t]], memory, None, REAL[:, None, None], cache) for t in range(TARGET)]

    assert cache[0].length == TARGET, "property: the self-attention is given the first part of the cache"
    assert cache[1].stored is not None, "property: the cross-attention is given the second part of the cache"
    assert_matches(torch.cat(steps, dim=1), expected(layer, x, memory), "batch target d_model")


def test_gradients_reach_the_input_and_the_memory():
    layer, x, memory = parts()

    assert_gradients_flow(layer, x=x, memory=memory)
