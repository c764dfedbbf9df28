"""Lesson 30: the parts of a conversation, and that texts in sight of one another have another loss."""

import math
from types import SimpleNamespace

from lessons.experiments.instruction_tuning_figures import by_hand
from lessons.experiments.instruction_tuning_parts import LEARNT, in_sight, of_kind
from tests.lessons.test_language_model import small

PARTS = [
    ([5, 8, 11, 29], ["template", "question", "answer", "end"]),
    ([2, 7, 9, 4, 6], ["template", "question", "question", "answer", "end"]),
]


def test_what_is_learnt_is_what_was_named_and_never_the_first_token():
    assert [learnt for _, learnt in of_kind(PARTS, *LEARNT["answer"])] == [
        [False] * 2 + [True] * 2,
        [False] * 3 + [True] * 2,
    ]
    assert [sum(learnt) for _, learnt in of_kind(PARTS, *LEARNT["whole text"])] == [3, 4]
    assert [sum(learnt) for _, learnt in of_kind(PARTS, *LEARNT["no end"])] == [1, 1]


def test_packed_texts_have_their_own_loss_and_in_sight_of_one_another_another():
    model = small()
    found = in_sight(SimpleNamespace(model=model, config=model.config), of_kind(PARTS, *LEARNT["answer"]), 12)

    assert math.isclose(found["alone"], found["packed"], rel_tol=1e-4)
    assert not math.isclose(found["alone"], found["in sight"], rel_tol=1e-3)
    assert (found["real"], found["padded places"], found["packed places"]) == (9, 10, 12)


def test_the_example_by_hand_is_as_the_text_says():
    losses = by_hand()

    assert math.isclose(sum(losses["answer"]), 3 * math.log(2))
    assert math.isclose(sum(losses["prompt"]), 13 * math.log(2))
    assert len(losses["prompt"]) + len(losses["answer"]) == 11
