"""The two tasks of the comparison: what is taught, what is tested, and how."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from lessons.chat.model import ChatModel
from lessons.chat.training.measures import spelling_scores
from lessons.chat.training.sentiment import even, sentiment_items
from lessons.chat.training.sentiment_measures import sentiment_scores
from lessons.chat.training.spelling import Item, balanced, spelling_items
from lessons.chat.training.tuning import quickly
from lessons.data.feedback import load_ratings

TASKS = ("spelling", "sentiment")
TAUGHT_EACH, DEVELOPMENT_EACH = 80, 8
"""Of the sentences with nothing to change, and of each label: those that are taught; of each label: those that calibrate."""


@cache
def items_of(task: str) -> list[Item]:
    ratings = load_ratings()
    if task == "sentiment":
        return sentiment_items(ratings)
    return spelling_items(one.text for rated in ratings.values() for one in rated)


def taught(every: Sequence[Item], task: str) -> list[Item]:
    """The training items; of what there is much of, as many as of the rest."""
    return even(every, "train", TAUGHT_EACH) if task == "sentiment" else balanced(every, "train", TAUGHT_EACH)


def held_out(every: Sequence[Item], task: str, items: int) -> list[Item]:
    """The first test items of each kind, of sentiment of each domain and label: about 3 times `items` in all."""
    if task == "sentiment":
        return even(every, "test", -(-items // 4))
    of_kind: dict[str, list[Item]] = {}
    for item in balanced(every, "test", unchanged=items):
        of_kind.setdefault(item.kind, []).append(item)
    return [item for items_ in of_kind.values() for item in items_[:items]]


def scores_of(chat: ChatModel, every: Sequence[Item], task: str, items: int) -> dict[str, Any]:
    tested = held_out(every, task, items)
    with quickly():
        if task == "spelling":
            return spelling_scores(chat, tested)
        return sentiment_scores(chat, tested, even(every, "development", DEVELOPMENT_EACH))
