"""Grader: which ids a conversation has, and which of them the loss may see."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lessons.exercises.diagnosis import assert_matches
from transformer.learning.answer_mask import encode_parts

VOCABULARY = ["<begin>", "<user>", "<model>", "<end>", "\n", "colour", "color", "colo", "r", "a", "b", "ab", "is"]
BEGIN = 0


@dataclass
class Encoded:
    ids: list[int]


class Longest:
    """Takes the longest token that fits, again and again; puts <begin> in front unless it is told not to."""

    def encode(self, sequence: str, *, add_special_tokens: bool = True) -> Encoded:
        ids = [BEGIN] if add_special_tokens else []
        while sequence:
            token = max((each for each in VOCABULARY if sequence.startswith(each)), key=len)
            ids.append(VOCABULARY.index(token))
            sequence = sequence[len(token) :]
        return Encoded(ids)


PARTS = [
    ("<user>color<end><model>", False),
    ("colouris<end>", True),
    ("\n<user>a", False),
    ("b<end>", True),
    ("", False),
]
PIECES = [
    ["<user>", "color", "<end>", "<model>"],
    ["colour", "is", "<end>"],
    ["\n", "<user>", "a"],
    ["b", "<end>"],
    [],
]
IDS = [VOCABULARY.index(token) for piece in PIECES for token in piece]
MASK = [learnt for piece, (_, learnt) in zip(PIECES, PARTS, strict=True) for _ in piece]


def numbers(found: object, name: str) -> Tensor:
    assert isinstance(found, list), f"kind: {name} is a {type(found).__name__}, not a list"
    assert all(isinstance(each, int) for each in found), f"kind: {name} holds something else than numbers and truths"
    return torch.tensor([int(each) for each in found])


def encoded() -> tuple:
    found = encode_parts(Longest(), PARTS)
    is_pair = isinstance(found, tuple) and len(found) == 2
    assert is_pair, "kind: two lists are wanted, the ids and the mask"
    return found


def test_each_part_is_cut_into_tokens_by_itself():
    ids = encoded()[0]

    whole = Longest().encode("".join(text for text, _ in PARTS), add_special_tokens=False).ids
    assert ids != whole, "value: the text is cut as a whole: the token `ab` lies across the border of prompt and answer"
    assert BEGIN not in ids, (
        "value: the tokenizer put a special token in front of a part; the template has written all of them"
    )
    assert_matches(numbers(ids, "the ids"), torch.tensor(IDS), "time", name="the ids")


def test_the_mask_has_a_truth_for_every_id():
    ids, mask = encoded()

    letters = sum(len(text) for text, _ in PARTS)
    assert len(mask) != len(PARTS), "value: the mask has one truth for each part, where one for each id is wanted"
    assert len(mask) != letters, "value: the mask has one truth for each character, where one for each id is wanted"
    assert len(mask) == len(ids), f"value: there are {len(ids)} ids, and {len(mask)} truths in the mask"


def test_the_loss_sees_the_answers_and_their_ends_and_nothing_else():
    mask = encoded()[1]

    mistakes = {
        "the mask is the other way round: True is what the loss sees": [not each for each in MASK],
        "everything is learnt, the prompt too": [True] * len(MASK),
        "nothing is learnt": [False] * len(MASK),
        "the token that ends an answer is not learnt: the model would never stop": [
            learnt and token != VOCABULARY.index("<end>") for token, learnt in zip(IDS, MASK, strict=True)
        ],
        "the mask stands one place too early; nothing is shifted here": [*MASK[1:], False],
        "the mask stands one place too late; nothing is shifted here": [False, *MASK[:-1]],
        "only the last answer is learnt; every answer is": [
            learnt and place >= len(MASK) - 2 for place, learnt in enumerate(MASK)
        ],
    }
    wrong = {sentence: torch.tensor(each).int() for sentence, each in mistakes.items()}
    assert_matches(numbers(mask, "the mask"), torch.tensor(MASK).int(), "time", name="the mask", mistakes=wrong)


def test_no_parts_are_no_ids():
    assert encode_parts(Longest(), []) == ([], []), "value: without parts both lists are empty"
