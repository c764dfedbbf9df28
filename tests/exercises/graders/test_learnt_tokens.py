"""Grader: which places of a row say something that is learnt, and what would be right there."""

import torch

from lessons.exercises.diagnosis import assert_matches
from transformer.learning.texts import text_batch

PAD = 3
ONE = ([5, 6, 7, 8], [False, False, True, True])
TWO = ([11, 12, 13], [False, True, True])
THREE = ([21, 22, PAD, 24], [False, True, True, False])
"""Its third token has the padding's id and is learnt: where pad is eos, a model would else never stop."""
ROWS = [[ONE, TWO], [THREE]]
SOURCE = torch.tensor([[5, 6, 7, 8, 11, 12, 13], [21, 22, PAD, 24, PAD, PAD, PAD]])
LEARNT = torch.tensor([[0, 0, 1, 1, 0, 1, 1], [0, 1, 1, 0, 0, 0, 0]]).bool()
BEFORE = torch.tensor([[0, 1, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 0, 0]]).bool()


def test_the_texts_of_a_row_stand_one_after_the_other_and_padding_behind():
    assert_matches(text_batch(ROWS, PAD).source, SOURCE, "batch time", name="source", dtype=torch.int64)


def test_a_learnt_token_is_predicted_at_the_place_before_it():
    mistakes = {
        "these are the learnt tokens themselves; each is predicted at the place before it": LEARNT,
        "these are the places after the learnt tokens: the shift goes the wrong way": torch.tensor(
            [[0, 0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 0, 0, 0]]
        ).bool(),
        "every place is marked, whatever is learnt": torch.tensor([[1] * 6 + [0]] * 2).bool(),
        "a learnt token with the padding's id is left out": torch.tensor(
            [[0, 1, 1, 0, 1, 1, 0], [1, 0, 0, 0, 0, 0, 0]]
        ).bool(),
    }
    assert_matches(
        text_batch(ROWS, PAD).before, BEFORE, "batch time", name="before", mistakes=mistakes, dtype=torch.bool
    )


def test_the_labels_are_the_learnt_tokens_row_by_row():
    mistakes = {"these are the tokens before the learnt ones": SOURCE[BEFORE][None]}
    assert_matches(
        text_batch(ROWS, PAD).labels,
        SOURCE[LEARNT][None],
        "1 learnt",
        name="labels",
        mistakes=mistakes,
        dtype=torch.int64,
    )


def test_packed_texts_are_numbered_and_padding_is_one_more():
    documents = text_batch(ROWS, PAD).documents

    right = torch.tensor([[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1]])
    mistakes = {
        "padding belongs to the last text of its row; it needs a number of its own": torch.tensor(
            [[0, 0, 0, 0, 1, 1, 1], [0] * 7]
        )
    }
    assert_matches(documents, right, "batch time", name="documents", mistakes=mistakes, dtype=torch.int64)


def test_rows_of_one_text_need_no_numbers():
    documents = text_batch([[ONE], [TWO]], PAD).documents

    assert documents is None, "property: where every row is one text, documents is None"
