"""Grader: beam search, against the same rules written with plain lists."""

import numpy as np
import pytest
import torch

from tests.exercises.graders import given
from tests.reference.decoding import beam_search as reference
from transformer.decoding.beam import beam_search

VOCAB, EOS, BOS, LONGEST, SOURCES = 6, 2, 1, 6, 3


def tables(seed):
    """For each source the log-probabilities after every last token; eos is likely, so that lengths differ."""
    logits = 2.0 * np.random.default_rng(seed).normal(size=(SOURCES, LONGEST, VOCAB, VOCAB))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def search(table, beams, penalty, config):
    def next_logits(tokens, rows):
        time, source = tokens.shape[1] - 1, torch.arange(len(tokens)) // beams
        seen.append(rows)
        return torch.from_numpy(table)[source, time, tokens[:, -1]]

    seen = []
    result = beam_search(next_logits, config, torch.full((SOURCES, 1), BOS), LONGEST, beams, penalty)
    assert result is not None, "kind: beam_search returns nothing: is `return` missing?"
    return result, seen


def wanted(table, beams, penalty):
    sequences = []
    for source in range(SOURCES):

        def log_probs(prefix, source=source):
            return table[source, len(prefix), prefix[-1] if prefix else BOS]

        sequences.append((BOS, *reference(log_probs, EOS, LONGEST, beams, penalty)))
    return sequences


@pytest.mark.parametrize("beams", [2, 3])
@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_the_sequence_that_the_rules_find(beams, penalty, seed):
    config, table = given.config(vocab_size=VOCAB, eos_id=EOS, bos_id=BOS), tables(seed)

    result, _ = search(table, beams, penalty, config)

    for source, right in enumerate(wanted(table, beams, penalty)):
        came = tuple(result[source, : len(right)].tolist())
        assert came == right, (
            f"value: source {source}, {beams} beams, length penalty {penalty}: came {came}, expected {right}"
        )
        assert (result[source, len(right) :] == config.pad_id).all(), "value: what follows eos is padding"


def test_the_first_step_branches_from_one_prefix_only():
    config, table = given.config(vocab_size=VOCAB), np.log(np.full((SOURCES, LONGEST, VOCAB, VOCAB), 1 / VOCAB))
    table[..., 4] = -0.01

    result, _ = search(table, 2, 1.0, config)

    assert result.shape[1] > 2, "property: all prefixes are equal at the start; only one of them may branch"


def test_the_step_before_is_named_for_every_row():
    config, table = given.config(vocab_size=VOCAB), tables(0)

    _, seen = search(table, 2, 1.0, config)

    assert seen[0] is None, "property: at the first step there is no row that a prefix came from: rows is None"
    for rows in seen[1:]:
        assert (rows // 2 == torch.arange(2 * SOURCES) // 2).all(), (
            "property: a prefix continues a row of its own source: row = source · beams + beam"
        )
