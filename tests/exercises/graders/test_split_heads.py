"""Grader: features become heads."""

import torch

from lessons.exercises.diagnosis import assert_matches
from tests.exercises.graders import given
from transformer.attention import MultiHeadAttention

BATCH, TIME, HEADS, D_HEAD = 2, 5, 3, 4


def test_head_h_holds_the_h_th_block_of_features():
    x = given.normal(BATCH, TIME, HEADS * D_HEAD)

    heads = MultiHeadAttention(HEADS * D_HEAD, HEADS).split_heads(x)

    blocks = torch.stack([x[..., h * D_HEAD : (h + 1) * D_HEAD] for h in range(HEADS)], dim=1)
    every_third = torch.stack([x[..., h::HEADS] for h in range(HEADS)], dim=1)
    mistakes = {
        "a head takes every third feature, where it takes a block of neighbours": every_third,
        "the numbers are cut anew without moving an axis: time and heads are mixed": x.reshape(blocks.shape),
    }
    assert_matches(heads, blocks, "batch heads time d_head", mistakes=mistakes)


def test_one_head_is_the_input_with_one_axis_more():
    x = given.normal(BATCH, TIME, D_HEAD)

    heads = MultiHeadAttention(D_HEAD, 1).split_heads(x)

    assert_matches(heads, x[:, None], "batch heads time d_head")
