"""Grader: project, split, attend, merge, project."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from tests.exercises.graders import given
from tests.reference.attention import linear, multi_head_attention
from transformer import record_attention
from transformer.attention import MultiHeadAttention
from transformer.decoding.cache import GrowingCache

BATCH, HEADS, D_HEAD, QUERY, KEY = 2, 3, 4, 5, 6
D_MODEL = HEADS * D_HEAD


@pytest.fixture
def module():
    return given.shaken(MultiHeadAttention(D_MODEL, HEADS))


@pytest.fixture
def inputs():
    return given.normal(BATCH, QUERY, D_MODEL), given.normal(BATCH, KEY, D_MODEL), given.normal(BATCH, KEY, D_MODEL)


def expected(module, inputs, mask=None, **exchanged):
    """The reference, row by row; `exchanged` gives a projection the numbers of another."""
    parameters = given.arrays(module)
    for name, other in exchanged.items():
        for part in ("weight", "bias"):
            parameters[f"{name}.{part}"] = given.arrays(module)[f"{other}.{part}"]
    rows = [
        multi_head_attention(*(x[row].numpy() for x in inputs), parameters, HEADS, None if mask is None else mask[row])
        for row in range(BATCH)
    ]
    return np.stack(rows)


def without_output_projection(module, inputs):
    changed = given.shaken(MultiHeadAttention(D_MODEL, HEADS))
    changed.load_state_dict(module.state_dict())
    with torch.no_grad():
        changed.out_proj.weight.copy_(torch.eye(D_MODEL))
        changed.out_proj.bias.zero_()
    return expected(changed, inputs)


def merged_feature_by_feature(module, inputs):
    """Concat(heads) with the features of the heads taking turns."""
    heads = without_output_projection(module, inputs).reshape(BATCH, QUERY, HEADS, D_HEAD)
    turned = heads.swapaxes(2, 3).reshape(BATCH, QUERY, D_MODEL)
    return linear(turned, given.arrays(module), "out_proj")


def merged_without_moving(module, inputs):
    heads = without_output_projection(module, inputs).reshape(BATCH, QUERY, HEADS, D_HEAD).swapaxes(1, 2)
    return linear(heads.reshape(BATCH, QUERY, D_MODEL), given.arrays(module), "out_proj")


def test_it_is_the_concatenation_of_the_heads_projected_once_more(module, inputs):
    output = module(*inputs)

    mistakes = {
        "the output projection out_proj is missing": without_output_projection(module, inputs),
        "keys and values have changed their projections": expected(module, inputs, k_proj="v_proj", v_proj="k_proj"),
        "the values are made by k_proj": expected(module, inputs, v_proj="k_proj"),
        "the keys are made by q_proj": expected(module, inputs, k_proj="q_proj"),
        "the heads are merged by a reshape without moving their axis behind the queries": merged_without_moving(
            module, inputs
        ),
        "the values are made of the keys' input": expected(module, (inputs[0], inputs[1], inputs[1])),
        "the heads are merged in turns, not one after another": merged_feature_by_feature(module, inputs),
    }
    assert_matches(output, expected(module, inputs), "batch query d_model", mistakes=mistakes)


def test_the_mask_reaches_the_attention(module, inputs):
    mask = torch.rand(BATCH, 1, QUERY, KEY) > 0.4
    mask[..., 0] = True

    output = module(*inputs, mask=mask)

    mistakes = {"the mask is not handed on": expected(module, inputs)}
    assert_matches(output, expected(module, inputs, mask[:, 0].numpy()), "batch query d_model", mistakes=mistakes)


def test_a_mask_that_does_not_fit_is_refused(module, inputs):
    assert_refused(module, *inputs, mask=torch.ones(QUERY + 1, KEY, dtype=torch.bool))


def test_the_core_of_the_attention_is_the_sub_module_attend(module, inputs):
    with record_attention(module) as maps:
        module(*inputs)

    assert [tuple(weights.shape) for weights in maps["attend"]] == [(BATCH, HEADS, QUERY, KEY)], (
        "property: self.attend is called once, on tensors of shape (batch, heads, time, d_head)"
    )


def test_a_cache_decides_whether_keys_and_values_are_projected_again(module):
    x = given.normal(BATCH, 4, D_MODEL)
    store = GrowingCache(capacity=4)

    steps = [module(x[:, [t]], x[:, [t]], x[:, [t]], cache=store) for t in range(4)]

    causal = np.tril(np.ones((4, 4), dtype=bool))
    wanted = expected(module, (x, x, x), np.stack([causal] * BATCH))
    assert_matches(torch.cat(steps, dim=1), wanted, "batch query d_model", name="the output, one position at a time")


def test_gradients_reach_every_input(module, inputs):
    query, key, value = inputs

    assert_gradients_flow(module, query=query, key=key, value=value)
