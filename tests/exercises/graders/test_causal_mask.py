"""Grader: nobody looks ahead."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from transformer.masks import causal_mask


@pytest.mark.parametrize(("length", "past"), [(4, 0), (3, 2), (1, 5), (1, 0)])
def test_a_query_sees_itself_and_what_was_before(length, past):
    mask = causal_mask(length, past)

    query, key = torch.arange(length)[:, None], torch.arange(past + length)
    right = key <= query + past
    mistakes = {
        "it is transposed: a query sees the future": key >= query + past,
        "a query does not see itself": key < query + past,
        "a query sees one position of the future": key <= query + past + 1,
        "`past` is not looked at: the cached keys count as the future": key <= query,
        "everybody sees everything": torch.ones_like(right),
    }
    assert_matches(mask, right, "query key", name="the mask", dtype=torch.bool, mistakes=differing(mistakes, right))


def differing(mistakes, right):
    return {sentence: result for sentence, result in mistakes.items() if not torch.equal(result, right)}


def test_it_is_made_on_the_device_that_was_asked_for():
    mask = causal_mask(3, 2, device=torch.device("meta"))

    assert mask.device.type == "meta", (
        f"property: the mask is on the device that was asked for, meta; it is on {mask.device.type}: is `device` used?"
    )


@pytest.mark.parametrize(("length", "past"), [(0, 0), (2, -1)])
def test_an_impossible_size_is_refused(length, past):
    assert_refused(causal_mask, length, past)
