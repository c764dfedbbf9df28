"""Grader: keys and values in front of the real ones."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.prefix_tuning import PrefixAttend
from tests.exercises.graders import given
from tests.reference.prefix import attention, prefix_attention, split
from transformer.attention import Attend

BATCH, HEADS, QUERY, KEY, D_HEAD, PROMPT = 2, 3, 4, 5, 6, 2
AXES = "batch heads query d_head"


@pytest.fixture
def layer():
    return PrefixAttend(Attend(), given.normal(PROMPT, 2 * HEADS * D_HEAD)).eval()


@pytest.fixture
def inputs():
    lengths = (QUERY, KEY, KEY)
    return [given.normal(BATCH, HEADS, length, D_HEAD) for length in lengths]


def mask(rows=BATCH):
    seen = torch.rand(rows, 1, QUERY, KEY) > 0.4
    seen[..., 0] = True
    return seen


def expected(layer, inputs, seen, prefix=None):
    prefix = layer.prefix.detach().numpy() if prefix is None else prefix
    full = seen.expand(BATCH, HEADS, QUERY, KEY).numpy()
    return prefix_attention(*(x.numpy() for x in inputs), full, prefix)


def with_mask(layer, inputs, visible):
    """Attention on prefix and keys under a mask that has its columns already."""
    query, key, value = (x.numpy() for x in inputs)
    first, second = split(layer.prefix.detach().numpy(), HEADS)
    keys, values = (
        np.stack([np.concatenate([part, row], axis=1) for row in rows])
        for part, rows in ((first, key), (second, value))
    )
    return attention(query, keys, values, visible)


def mistakes(layer, inputs, seen):
    prefix = layer.prefix.detach().numpy()
    keys, values = np.split(prefix, 2, axis=1)
    by_feature = np.concatenate(
        [part.reshape(PROMPT, D_HEAD, HEADS).swapaxes(1, 2).reshape(PROMPT, -1) for part in (keys, values)], axis=1
    )
    split_otherwise = {
        f"the features are split as ({order}), where they stand as (two heads d_head)": expected(
            layer, inputs, seen, in_order(prefix, order.split())
        )
        for order in ("heads two d_head", "heads d_head two", "d_head heads two", "d_head two heads")
    }
    full = seen.expand(BATCH, HEADS, QUERY, KEY).numpy()
    behind = np.concatenate([full, np.ones((*full.shape[:3], PROMPT), dtype=bool)], axis=-1)
    return {
        "the mask is lengthened behind, where the prefix stands in front": with_mask(layer, inputs, behind),
        "the prefix is not used": attention(*(x.numpy() for x in inputs), full),
        "the two halves have changed places: first P_K, then P_V": expected(
            layer, inputs, seen, np.concatenate([values, keys], 1)
        ),
        "a head takes every third feature of the prefix, where it takes a block": expected(
            layer, inputs, seen, by_feature
        ),
    } | split_otherwise


def in_order(prefix, order):
    """The prefix that a right solution would have to be given, so that it computes what one with another order of axes does."""
    sizes = {"two": 2, "heads": HEADS, "d_head": D_HEAD}
    taken = prefix.reshape(PROMPT, *(sizes[axis] for axis in order))
    back = [1 + order.index(axis) for axis in sizes]
    return taken.transpose(0, *back).reshape(PROMPT, -1)


def test_everybody_attends_to_the_prefix_besides_the_real_keys(layer, inputs):
    everything = torch.ones(BATCH, 1, QUERY, KEY, dtype=torch.bool)

    output = layer(*inputs)

    assert_matches(output, expected(layer, inputs, everything), AXES, mistakes=mistakes(layer, inputs, everything))


def test_with_a_mask_the_prefix_stays_visible(layer, inputs):
    seen = mask()

    output = layer(*inputs, seen)

    assert_matches(output, expected(layer, inputs, seen), AXES, mistakes=mistakes(layer, inputs, seen))


@pytest.mark.parametrize("shape", [(QUERY, KEY), (1, 1, 1, KEY), (BATCH, 1, 1, 1)])
def test_a_mask_of_any_shape_that_broadcasts_is_lengthened(layer, inputs, shape):
    seen = torch.rand(shape) > 0.3
    seen[..., 0] = True

    output = layer(*inputs, seen)

    sentence = f"a mask of shape {shape} has {shape[-1]} columns: it stands for all {KEY} keys before it is lengthened"
    assert_matches(
        output, expected(layer, inputs, seen), AXES, mistakes={sentence: expected(layer, inputs, torch.ones_like(seen))}
    )


def test_a_query_that_sees_no_real_key_sees_the_prefix(layer, inputs):
    seen = mask()
    seen[0, :, 1] = False

    output = layer(*inputs, seen)

    assert_matches(output, expected(layer, inputs, seen), AXES)


def test_gradients_reach_the_prefix(layer, inputs):
    layer(*inputs).sum().backward()

    assert layer.prefix.grad is not None, "gradient: no gradient reaches the prefix"
    assert layer.prefix.grad.isfinite().all(), "gradient: the prefix's gradient is not finite"
