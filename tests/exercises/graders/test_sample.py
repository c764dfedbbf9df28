"""Grader: drawing a token."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from transformer.decoding.sampling import sample

DRAWS = 20_000
LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0], dtype=torch.float64)
OTHERS = torch.tensor([-1.0, 0.5, 3.0, 1.0], dtype=torch.float64)
"""Every second row: a softmax over the rows gives another thing than one over the tokens."""


def frequencies(**settings):
    generator = torch.Generator().manual_seed(5)
    rows = torch.stack([LOGITS, OTHERS]).repeat(DRAWS, 1)
    drawn = sample(rows, generator=generator, **settings)
    assert drawn is not None, "kind: sample returns nothing: is `return` missing?"
    assert drawn.shape == (2 * DRAWS,), f"shape: one token for each row, ({2 * DRAWS},), not {tuple(drawn.shape)}"
    return torch.bincount(drawn[::2], minlength=4).double() / DRAWS


def likely(logits):
    return logits.softmax(-1)


def over_the_rows(temperature):
    """What multinomial makes of it, which lets the row of each token sum to 1."""
    weights = (torch.stack([LOGITS, OTHERS]) / temperature).softmax(0)[0]
    return weights / weights.sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tokens_come_as_often_as_their_probability_at_the_temperature_says(temperature):
    counted = frequencies(temperature=temperature)

    mistakes = {
        "the best token is taken every time: that is greedy decoding": likely(1e4 * LOGITS),
        "the temperature multiplies, where it divides": likely(LOGITS * temperature),
        "the temperature is not used": likely(LOGITS),
        "the softmax runs over the rows of the batch, not over the tokens": over_the_rows(temperature),
        "every token comes as often as every other": likely(0 * LOGITS),
    }
    right = likely(LOGITS / temperature)
    differing = {sentence: result for sentence, result in mistakes.items() if (result - right).abs().max() > 0.05}
    assert_matches(counted, right, "vocab", name="the share of draws", mistakes=differing, atol=0.02, rtol=0.0)


def test_nothing_outside_the_top_k_is_ever_drawn():
    counted = frequencies(top_k=2)

    mistakes = {"top_k is not used": likely(LOGITS)}
    right = likely(torch.tensor([2.0, 1.0, -torch.inf, -torch.inf]))
    assert_matches(counted, right, "vocab", name="the share of draws", mistakes=mistakes, atol=0.02, rtol=0.0)


def test_the_temperature_comes_before_top_p():
    counted = frequencies(temperature=0.3, top_p=0.9)

    mistakes = {"top_p is not used, or measured before the temperature": likely(LOGITS / 0.3)}
    assert_matches(
        counted, [1.0, 0.0, 0.0, 0.0], "vocab", name="the share of draws", mistakes=mistakes, atol=0.02, rtol=0.0
    )


def test_a_generator_decides():
    draws = [sample(LOGITS.expand(50, -1), generator=torch.Generator().manual_seed(7)) for _ in range(2)]

    assert torch.equal(*draws), "property: the same generator gives the same draws; is it handed on?"
