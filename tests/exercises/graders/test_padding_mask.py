"""Grader: nobody attends to padding."""

import torch

from lessons.exercises.diagnosis import assert_matches
from transformer.masks import padding_mask

IDS = torch.tensor([[4, 7, 9, 0], [4, 3, 3, 3], [3, 5, 3, 8]])


def test_true_stands_where_a_token_is_real():
    mask = padding_mask(IDS, pad_id=3)

    real = (IDS != 3)[:, None, None, :]
    mistakes = {
        "it is the other way round: True means a real token": ~real,
        "the padding id is taken for 0, whatever was given": (IDS != 0)[:, None, None, :],
        "True stands for ids above the padding id": (IDS > 3)[:, None, None, :],
    }
    assert_matches(mask, real, "batch 1 1 time", name="the mask", mistakes=mistakes, dtype=torch.bool)


def test_it_broadcasts_to_batch_heads_query_and_key():
    scores = torch.zeros(3, 2, 5, 4)

    assert (scores.masked_fill(~padding_mask(IDS, 3), 1.0)[1, :, :, 1:] == 1.0).all(), (
        "property: the last axis is that of the keys, so that padded keys are masked for every head and query"
    )
