"""Grader: project, split, attend, merge, project."""

import numpy as np
import pytest
import torch
from einops import rearrange

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches, assert_refused
from tests.exercises.graders import given
from tests.reference.attention import linear, multi_head_attention
from transformer import record_attention
from transformer.add_norm import RMSNorm
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


def test_with_a_cache_a_mask_is_as_long_as_all_the_keys_that_it_holds(module):
    x = given.normal(BATCH, 4, D_MODEL)
    store, seen = GrowingCache(capacity=4), torch.tensor([[True, False, True, True], [False, True, True, True]])

    steps = [module(x[:, [t]], x[:, [t]], x[:, [t]], seen[:, None, None, : t + 1], store) for t in range(4)]

    causal = np.tril(np.ones((4, 4), dtype=bool)) & seen.numpy()[:, None]
    wanted = expected(module, (x, x, x), causal)
    mistakes = {
        "the mask is not handed on": expected(module, (x, x, x), np.stack([np.tril(np.ones((4, 4)))] * BATCH) > 0)
    }
    assert_matches(torch.cat(steps, dim=1), wanted, "batch query d_model", mistakes=mistakes)


def by_place(x):
    """In the place of a rotation: another factor for each position and feature."""
    return x * (torch.arange(1, x.shape[2] + 1)[:, None] + torch.linspace(-1.0, 1.0, x.shape[3], dtype=x.dtype))


def as_it_is(x):
    return x


def attended(module, inputs, queries, keys, values=as_it_is):
    """The output where the heads of each of the three pass a function of their own."""
    made = zip((module.q_proj, module.k_proj, module.v_proj), inputs, (queries, keys, values))
    heads = module.attend(*(function(module.split_heads(project(x))) for project, x, function in made))
    return module.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))


def test_rotate_turns_queries_and_keys_and_never_the_values(module, inputs):
    output = module(*inputs, rotate=by_place)

    mistakes = {
        "the values are turned too: `rotate` is for queries and keys": attended(module, inputs, *[by_place] * 3),
        "the queries are not turned by `rotate`": attended(module, inputs, as_it_is, by_place),
        "the keys are not turned by `rotate`": attended(module, inputs, by_place, as_it_is),
        "`rotate` is not used": attended(module, inputs, as_it_is, as_it_is),
    }
    assert_matches(output, attended(module, inputs, by_place, by_place), "batch query d_model", mistakes=mistakes)


def test_queries_and_keys_pass_their_norms_and_then_rotate(inputs):
    module = given.shaken(MultiHeadAttention(D_MODEL, HEADS, head_norm=RMSNorm))
    q_norm, k_norm = module.q_norm, module.k_norm

    output = module(*inputs, rotate=by_place)

    def normed(query_norm, key_norm):
        return attended(module, inputs, lambda x: by_place(query_norm(x)), lambda x: by_place(key_norm(x)))

    mistakes = {
        "q_norm is not used": normed(as_it_is, k_norm),
        "k_norm is not used": normed(q_norm, as_it_is),
        "q_norm and k_norm are not used": normed(as_it_is, as_it_is),
        "q_norm and k_norm have changed places": normed(k_norm, q_norm),
        "the norms come behind `rotate`, where they come before it": attended(
            module, inputs, lambda x: q_norm(by_place(x)), lambda x: k_norm(by_place(x))
        ),
    }
    assert_matches(output, normed(q_norm, k_norm), "batch query d_model", mistakes=mistakes)


def test_gradients_reach_every_input(module, inputs):
    query, key, value = inputs

    assert_gradients_flow(module, query=query, key=key, value=value)
