"""Preference pairs out of people's ratings, and how far anybody can agree with them.

    pair        two sentences of one domain, one rating drawn for each; the higher one is preferred, ties are left out
    agreement   how often the reward model, or a second pair of raters, prefers the same sentence

Each rating is one person's, so pairs contradict each other as often as people do: nobody can agree with all of them, and
the people's own agreement is the measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lessons.data.feedback import RatedSentence
from lessons.sentiment.measures import correlation, mean_ratings

TEST_PAIRS = 2000


@dataclass(frozen=True)
class Pairs:
    """Indices of the preferred and of the other sentence, and whether a second pair of raters says the same."""

    chosen: np.ndarray
    rejected: np.ndarray
    confirmed: np.ndarray
    """1: the second pair of raters agrees, 0: it does not, NaN: it saw no difference."""


def rated_pairs(sentences: Sequence[RatedSentence], count: int, random: np.random.Generator) -> Pairs:
    """`count` draws of two sentences and of two different ratings for each; fewer pairs, since ties are left out."""
    chosen, rejected, confirmed = [], [], []
    for _ in range(count):
        left, right = random.choice(len(sentences), size=2, replace=False)
        (first, again), (second, anew) = (
            random.choice(sentences[one].ratings, 2, replace=False) for one in (left, right)
        )
        if first == second:
            continue
        better, worse, same = (left, right, again - anew) if first > second else (right, left, anew - again)
        chosen.append(better)
        rejected.append(worse)
        confirmed.append(np.nan if same == 0 else float(same > 0))
    return Pairs(np.array(chosen), np.array(rejected), np.array(confirmed))


def agreements(
    sentences: Sequence[RatedSentence], rewards: np.ndarray, random: np.random.Generator
) -> dict[str, float]:
    """Of one domain: model with people, people with people on the same pairs, and the correlation with their mean."""
    pairs = rated_pairs(sentences, TEST_PAIRS, random)
    decided = ~np.isnan(pairs.confirmed)
    return {
        "model": float(np.mean(rewards[pairs.chosen] > rewards[pairs.rejected])),
        "people": float(np.mean(pairs.confirmed[decided])),
        "correlation": correlation(mean_ratings(sentences), rewards),
        "pairs": len(pairs.chosen),
    }
