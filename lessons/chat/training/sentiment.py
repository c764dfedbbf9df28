"""Sentiment by instruction: one word for a sentence, of three. Trained on one domain, tested on four.

    positive   mean rating ≥ 1        negative   ≤ -1        neutral   between -0.5 and 0.5

What lies between is left out: people do not agree on it.
"""

from collections.abc import Mapping, Sequence
from statistics import mean

from lessons.chat.training.spelling import Item, place
from lessons.data.feedback import RatedSentence

REQUEST = "Is the feeling of this sentence positive, negative or neutral? Answer with one word.\n"
LABELS = ("positive", "negative", "neutral")
DOMAIN, LONGEST = "movies", 18
TEST_SHARE, DEVELOPMENT_SHARE = 0.35, 0.1


def label_of(sentence: RatedSentence) -> str | None:
    rating = mean(sentence.ratings)
    if abs(rating) <= 0.5:
        return "neutral"
    return None if abs(rating) < 1 else "positive" if rating > 0 else "negative"


def sentiment_items(ratings: Mapping[str, Sequence[RatedSentence]], domain: str = DOMAIN) -> list[Item]:
    """Every short sentence with a label; its kind is its domain, and only those of `domain` are trained on."""
    items = []
    for name, sentences in ratings.items():
        for sentence in sorted(sentences, key=lambda one: place(one.text)):
            text, label = " ".join(sentence.text.split()), label_of(sentence)
            if label and 4 <= len(text.split()) <= LONGEST:
                where = place(text + " part")
                part = "test" if where < TEST_SHARE else "development"
                if where >= TEST_SHARE + DEVELOPMENT_SHARE:
                    part = "train"
                if part == "test" or name == domain:
                    items.append(Item(REQUEST + text, label, name, part))
    return items


def even(items: Sequence[Item], part: str, each: int) -> list[Item]:
    """Of a part `each` items of every kind and label, or as many as there are."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        if item.part == part:
            groups.setdefault((item.kind, item.answer), []).append(item)
    return [item for group in groups.values() for item in group[:each]]
