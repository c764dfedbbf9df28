"""Grader: heads of queries share keys and values."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from tests.exercises.graders import given
from tests.reference.language_model import grouped_attention
from transformer.attention import MultiHeadAttention, for_every_query

BATCH, KEY, D_HEAD = 2, 6, 4
"""As many keys as heads in some cases: what is asked is the number of heads."""


@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 2), (6, 3), (3, 1), (4, 4)])
def test_neighbours_share_a_head(heads, kv_heads):
    shared = given.normal(BATCH, kv_heads, KEY, D_HEAD)

    repeated = for_every_query(shared, heads)

    right = torch.stack([shared[:, h * kv_heads // heads] for h in range(heads)], dim=1)
    mistakes = {
        "the heads take turns (0 1 0 1), where neighbours share one (0 0 1 1)": torch.stack(
            [shared[:, h % kv_heads] for h in range(heads)], dim=1
        ),
        "every query has the first head": shared[:, :1].expand(-1, heads, -1, -1),
        "the heads come in another order: from the last to the first": right.flip(1),
    }
    mistakes = {name: made for name, made in mistakes.items() if not torch.equal(made, right)}
    assert_matches(repeated, right, "batch heads key d_head", mistakes=mistakes)


def test_an_attention_with_fewer_keys_is_that_of_the_paper_on_shared_ones():
    attention = given.shaken(MultiHeadAttention(24, 6, num_kv_heads=2))
    query, key, value = given.normal(1, 6, 3, 4), given.normal(1, 2, 5, 4), given.normal(1, 2, 5, 4)

    output = attention.attend(query, key, value)

    right = grouped_attention(query[0].numpy(), key[0].numpy(), value[0].numpy())[None]
    assert_matches(output, right, "batch heads query d_head", name="the attention's output")


def test_gradients_reach_the_shared_heads():
    assert_gradients_flow(lambda shared: for_every_query(shared, 6), shared=given.normal(BATCH, 2, KEY, D_HEAD))
