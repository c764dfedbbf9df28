"""Graders: attention and multi-head attention, with a diagnosis of what a wrong one computes."""

import math

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, inputs_unchanged
from tests.reference.attention import attention
from transformer.attention import scaled_dot_product_attention

BATCH, HEADS, QUERY, KEY, D_HEAD, D_VALUE = 2, 3, 4, 5, 7, 6
ROOT = {"√d_head": math.sqrt(D_HEAD), "d_head": D_HEAD}


@pytest.fixture
def inputs(rng):
    shapes = {"query": (QUERY, D_HEAD), "key": (KEY, D_HEAD), "value": (KEY, D_VALUE)}
    return {name: torch.from_numpy(rng.normal(size=(BATCH, HEADS, *shape))) for name, shape in shapes.items()}


@pytest.fixture
def mask(rng):
    """Every query may attend to something, and no two queries to the same."""
    open_keys = rng.random((BATCH, 1, QUERY, KEY)) > 0.4
    open_keys[..., 0] = True
    return torch.from_numpy(open_keys)


def expected(inputs, mask=None, scale=1.0):
    """Output and weights of the reference, head by head. `scale` multiplies the scores."""
    outputs, weights = np.zeros((BATCH, HEADS, QUERY, D_VALUE)), np.zeros((BATCH, HEADS, QUERY, KEY))
    query, key, value = (x.numpy() for x in inputs.values())
    for row, head in np.ndindex(BATCH, HEADS):
        allowed = None if mask is None else mask[row, 0].numpy()
        result = attention(scale * query[row, head], key[row, head], value[row, head], allowed)
        outputs[row, head], weights[row, head] = result
    return outputs, weights


def softmax_over_queries(inputs):
    scores = (inputs["query"] @ inputs["key"].transpose(-2, -1) / math.sqrt(D_HEAD)).exp()
    return scores / scores.sum(dim=-2, keepdim=True)


def test_attention_weights_are_the_softmax_of_the_scaled_scores(inputs):
    result = scaled_dot_product_attention(**inputs)

    assert isinstance(result, tuple), f"kind: a pair (output, weights) is expected, not a {type(result).__name__}"
    assert len(result) == 2, f"kind: a pair (output, weights) is expected, not {len(result)} values"
    assert_matches(
        result[1],
        expected(inputs)[1],
        "batch heads query key",
        name="the matrix of weights",
        properties={
            "the weights of a query sum to 1 over the keys": lambda w: (
                np.allclose(w.sum(-1), 1) or not np.allclose(w.sum(-2), 1)
            )
        },
        mistakes={
            "the scores are not divided by √d_head": expected(inputs, scale=math.sqrt(D_HEAD))[1],
            "the scores are divided by d_head, not by its root": expected(inputs, scale=1 / math.sqrt(D_HEAD))[1],
            "the scores are divided by the root of the number of keys": expected(inputs, scale=math.sqrt(D_HEAD / KEY))[
                1
            ],
            "the scores are multiplied by √d_head": expected(inputs, scale=D_HEAD)[1],
            "the softmax runs over the queries, not over the keys": softmax_over_queries(inputs),
        },
    )


def test_the_output_is_the_mean_of_the_values_under_these_weights(inputs):
    output, _ = scaled_dot_product_attention(**inputs)

    assert_matches(output, expected(inputs)[0], "batch heads query d_value")


def test_true_in_a_mask_means_may_be_attended_to(inputs, mask):
    output, weights = scaled_dot_product_attention(**inputs, mask=mask)

    wanted_output, wanted = expected(inputs, mask)
    mistakes = {
        "the mask is read the other way round: True means may be attended to": expected(inputs, ~mask)[1],
        "the mask is not used": expected(inputs)[1],
        "what is masked is set to 0 after the softmax, and the rest no longer sums to 1": expected(inputs)[1]
        * mask.numpy(),
    }
    assert_matches(weights, wanted, "batch heads query key", name="the matrix of weights", open=mask, mistakes=mistakes)
    assert_matches(output, wanted_output, "batch heads query d_value", open=mask)


def test_a_query_that_may_attend_to_nothing_gets_exactly_0(inputs, mask):
    mask[0, :, 2] = False

    output, weights = scaled_dot_product_attention(**inputs, mask=mask)

    wanted_output, wanted = expected(inputs, mask)
    uniform = np.where(mask.numpy().any(-1, keepdims=True), wanted, 1 / KEY)
    sentence = "a query that may attend to nothing gets equal weights, where 0 is expected"
    assert_matches(weights, wanted, "batch heads query key", name="the matrix of weights", mistakes={sentence: uniform})
    assert_matches(output, wanted_output, "batch heads query d_value")


def test_dropout_falls_on_the_weights_of_the_mean_and_not_on_those_that_are_returned(inputs):
    _, weights = scaled_dot_product_attention(**inputs, dropout=0.5)

    assert bool((weights != 0).all()), (
        "property: the weights that are returned have gaps: dropout falls on those of the mean, and these are returned as they were"
    )
    assert_matches(weights, expected(inputs)[1], "batch heads query key", name="the weights that are returned")


def test_dropout_removes_weights_of_the_mean_and_the_rest_grows(inputs):
    share = 0.25
    every = torch.eye(KEY, dtype=torch.float64).expand(
        BATCH, HEADS, KEY, KEY
    )  # then the output is the weights themselves

    output, weights = scaled_dot_product_attention(inputs["query"], inputs["key"], every, dropout=share)

    times = output / weights
    assert bool((output == 0).any()), "property: dropout removes weights, and here none is 0: is `dropout` used?"
    kept = times[output != 0]
    assert torch.allclose(kept, torch.tensor(1 / (1 - share)).double()), (
        f"property: a weight that stays grows to 1 / (1 - dropout) = {1 / (1 - share):.4f} of it; here to {float(kept[0]):.4f}"
    )


def test_nothing_that_is_given_is_changed(inputs, mask):
    with inputs_unchanged(**inputs, mask=mask):
        scaled_dot_product_attention(**inputs, mask=mask)


def test_gradients_reach_query_key_and_value(inputs, mask):
    mask[0, :, 2] = False

    assert_gradients_flow(lambda **x: scaled_dot_product_attention(**x, mask=mask)[0], **inputs)
