"""Masks: True = may be attended to."""

import pytest
import torch

from transformer import causal_mask, padding_mask
from transformer.masks import check_mask, prompt_mask


def test_a_padding_mask_is_true_where_a_key_is_a_real_token():
    ids = torch.tensor([[4, 7, 9], [4, 3, 3]])

    assert padding_mask(ids, pad_id=3).tolist() == [[[[True, True, True]]], [[[True, False, False]]]]


def test_a_causal_mask_lets_every_query_see_itself_and_what_was_before():
    mask = causal_mask(4)

    for query in range(4):
        for key in range(4):
            assert mask[query, key] == (key <= query)


def test_behind_a_cache_the_first_query_sees_the_whole_past():
    assert torch.equal(causal_mask(2, past=3), causal_mask(5)[3:])


@pytest.mark.parametrize(("length", "past"), [(0, 0), (-1, 0), (2, -1)])
def test_a_causal_mask_of_impossible_size_is_refused(length, past):
    with pytest.raises(ValueError, match=f"not length {length} and past {past}"):
        causal_mask(length, past)


def test_a_prompt_is_padded_in_front_only():
    ids = torch.tensor([[0, 0, 5, 0, 6], [0, 0, 0, 0, 0]])

    assert prompt_mask(ids, pad_id=0).tolist() == [[False, False, True, True, True], [False] * 4 + [True]]


@pytest.mark.parametrize("shape", [(5,), (4, 5), (1, 5), (3, 4, 5), (2, 1, 1, 5), (2, 3, 4, 5), (1, 1, 1, 1), ()])
def test_a_mask_that_broadcasts_is_taken(shape):
    check_mask(torch.ones(shape, dtype=torch.bool), batch=2, heads=3, query=4, key=5)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 4, 5), (3, 1, 1, 5), (1, 2, 3, 4, 5)])
def test_a_mask_that_does_not_broadcast_is_refused_with_both_shapes(shape):
    with pytest.raises(ValueError, match=r"does not broadcast to \(batch, heads, query, key\) = \(2, 3, 4, 5\)"):
        check_mask(torch.ones(shape, dtype=torch.bool), batch=2, heads=3, query=4, key=5)


def test_a_mask_of_numbers_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"not torch.float32; compare first \(mask > 0\)"):
        check_mask(torch.zeros(4, 5), batch=2, heads=3, query=4, key=5)
