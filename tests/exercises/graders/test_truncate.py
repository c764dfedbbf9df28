"""Grader: top-k and top-p."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, inputs_unchanged
from tests.exercises.graders import given
from tests.reference.decoding import top_k_set, top_p_set
from transformer.decoding.sampling import truncate

BATCH, VOCAB = 3, 8


def kept(logits, chosen):
    """The logits of the chosen ids, -inf elsewhere."""
    result = np.full(logits.shape, -np.inf)
    for row, ids in enumerate(chosen):
        result[row, sorted(ids)] = logits[row, sorted(ids)]
    return result


def probabilities(logits):
    return logits.softmax(-1).numpy()


def wrong_count(actual, wanted):
    came, right = (actual > -torch.inf).sum(-1).tolist(), (wanted > -np.inf).sum(-1).tolist()
    return f"value: so many tokens are left in each row: came {came}, expected {right}"


@pytest.mark.parametrize("k", [1, 3, VOCAB + 2])
def test_top_k_leaves_the_k_best(k):
    logits = 2.0 * given.normal(BATCH, VOCAB)

    result = truncate(logits, top_k=k)

    wanted = kept(logits.numpy(), [top_k_set(row, k) for row in probabilities(logits)])
    assert (result > -torch.inf).sum(-1).tolist() == (wanted > -np.inf).sum(-1).tolist(), wrong_count(result, wanted)
    assert_matches(result, wanted, "batch vocab", name="the logits")


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_top_p_leaves_the_smallest_best_set_whose_mass_reaches_p(p):
    logits = 2.0 * given.normal(BATCH, VOCAB)

    result = truncate(logits, top_p=p)

    wanted = kept(logits.numpy(), [top_p_set(row, p) for row in probabilities(logits)])
    assert (result > -torch.inf).any(-1).all(), "value: a row has no token left; the best one always stays"
    assert (result > -torch.inf).sum(-1).tolist() == (wanted > -np.inf).sum(-1).tolist(), wrong_count(result, wanted)
    assert_matches(result, wanted, "batch vocab", name="the logits")


def test_a_set_whose_mass_is_exactly_p_is_large_enough():
    result = truncate(torch.zeros(1, 4, dtype=torch.float64), top_p=0.5)

    count = int((result > -torch.inf).sum())
    assert count == 2, f"value: of four equal tokens two have the mass 0.5; {count} are left"


def test_top_p_is_measured_on_what_top_k_has_left():
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)

    result = truncate(logits, top_k=2, top_p=0.72)

    assert_matches(
        result, [[4.0, -np.inf, -np.inf, -np.inf]], "batch vocab", name="the logits after top-k 2 and top-p 0.72"
    )


def test_with_nothing_asked_nothing_is_left_out():
    logits = given.normal(BATCH, VOCAB)

    assert_matches(truncate(logits, top_p=1.0), logits, "batch vocab")
    assert_matches(truncate(logits), logits, "batch vocab")


def test_the_logits_that_were_given_stay_as_they_are():
    logits = given.normal(BATCH, VOCAB)

    with inputs_unchanged(logits=logits):
        truncate(logits, top_k=2, top_p=0.5)
