"""People's preferences between a model's answers, out of their ratings of sentences.

    rating ≥ 1   votes for "positive"        ≤ -1   for "negative"        0   for "neutral"

A pair is one person's: the label that their rating votes for, above one of the two others. So pairs contradict each other as
often as people do, and of many pairs on one sentence the label a is above b in votes(a) / (votes(a) + votes(b)) of those
that name both: Bradley and Terry's model, with the votes as its strengths.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lessons.chat.model import ChatModel
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.sentiment import LABELS, REQUEST
from lessons.chat.training.spelling import Item
from lessons.data.feedback import RatedSentence
from rlhf import Preferences, collate_preferences
from transformer.learning.texts import Text

Preferred = tuple[str, str, str]
"""(question, the label that a person votes for, another)."""


def vote_of(rating: int) -> str:
    positive, negative, neutral = LABELS
    return neutral if rating == 0 else positive if rating > 0 else negative


def drawn_preferences(
    items: Sequence[Item], rated: Sequence[RatedSentence], random: np.random.Generator
) -> list[Preferred]:
    """Of each item one person, drawn from those who rated its sentence, and one of the two labels that they did not vote for."""
    ratings: Mapping[str, tuple[int, ...]] = {" ".join(one.text.split()): one.ratings for one in rated}
    found = []
    for item in items:
        vote = vote_of(random.choice(ratings[item.question.removeprefix(REQUEST)]))
        found.append((item.question, vote, random.choice([label for label in LABELS if label != vote])))
    return found


def preferences_of(chat: ChatModel, preferred: Sequence[Preferred]) -> Preferences:
    """The pairs in the model's tokens: a prompt, and both answers with their ends."""
    sides = [
        texts_of(
            chat, [Item(question, answer, "", "").messages() for question, *both in preferred for answer in [both[k]]]
        )
        for k in (0, 1)
    ]
    pairs = [(*cut(chosen), cut(rejected)[1]) for chosen, rejected in zip(*sides, strict=True)]
    return collate_preferences(pairs, chat.config.pad_id, pad_source_in_front=True)


def cut(text: Text) -> tuple[list[int], list[int]]:
    """What is asked, and what is answered, of a conversation of one turn."""
    ids, learnt = text
    begin = learnt.index(True)
    return list(ids[:begin]), list(ids[begin:])
