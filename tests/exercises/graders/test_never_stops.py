"""Grader: which tokens of a text carry loss, where end and padding are one token."""

import pytest
import torch

from lessons.clinic.repairs.never_stops import labels_of
from lessons.exercises.diagnosis import assert_matches

END, NOT = 2, -100
RIGHT = (
    [[5, 6, 1, 7, 8, END, END, END], [9, 1, 10, END, END, END, END, END]],
    [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]],
    [3, 2],
    [[NOT, NOT, NOT, 7, 8, END, NOT, NOT], [NOT, NOT, 10, END, NOT, NOT, NOT, NOT]],
)
LEFT = (
    [[END, END, 5, 6, 1, 7, 8, END], [END, END, END, END, 9, 1, 10, END]],
    [[0, 0, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]],
    [5, 6],
    [[NOT, NOT, NOT, NOT, NOT, 7, 8, END], [NOT, NOT, NOT, NOT, NOT, NOT, 10, END]],
)
SIDES = {"right": RIGHT, "left": LEFT}


def mistakes(ids: torch.Tensor, real: torch.Tensor, begins: torch.Tensor, right: torch.Tensor) -> dict:
    """What each mistake gives for these rows."""
    columns, kept = torch.arange(ids.shape[1]), real == 1
    after = columns >= begins[:, None]
    return {
        "the end carries no loss: padding was told by its id, and the end has the same": right.masked_fill(
            right == END, NOT
        ),
        "the prompt carries loss": torch.where(kept, ids, NOT),
        "padding carries loss": torch.where(after, ids, NOT),
        "the first token of the answer carries no loss": torch.where(kept & (columns > begins[:, None]), ids, NOT),
        "the labels are shifted; the model shifts the labels by itself": right.roll(-1, 1),
        "a place that is not learnt has the label 0; -100 is the one that the loss leaves out": right.masked_fill(
            right == NOT, 0
        ),
    }


@pytest.mark.parametrize("side", SIDES)
def test_the_answer_and_its_end_carry_loss_and_nothing_else(side: str):
    ids, real, begins, right = (torch.tensor(rows) for rows in SIDES[side])

    labels = labels_of(ids.clone(), real, begins)

    known = mistakes(ids, real, begins, right)
    assert_matches(labels, right, "batch time", name="the labels", dtype=torch.int64, mistakes=known)


def test_the_ids_stay_as_they_are():
    ids, real, begins, _ = (torch.tensor(rows) for rows in RIGHT)
    before = ids.clone()

    labels_of(ids, real, begins)

    assert torch.equal(ids, before), "mutated: input_ids was written into; a new tensor is wanted"
