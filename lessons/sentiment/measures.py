"""How well a score agrees with people: three classes by its sign, a weighted F1, and a correlation.

    F1_c = 2 P_c R_c / (P_c + R_c)        F1 = Σ_c share_c F1_c           c ∈ {negative, neutral, positive}

The class of a sentence is the sign of its mean rating, and the class of a prediction is its sign. That this is what
table 4 means was found by computing its row of single people from the ratings: .841, .922, .851, .647.

Paper     "VADER: A Parsimonious Rule-based Model for Sentiment Analysis" (Hutto and Gilbert 2014), tables 4 and 5
"""

from collections.abc import Callable, Sequence

import numpy as np

from lessons.data.feedback import RatedSentence

Cells = dict[str, float]
DOMAINS = ("tweets", "movies", "amazon", "news")
PEOPLE, VADER = "single people", "VADER"
TABLE_4 = {PEOPLE: (0.84, 0.92, 0.85, 0.65), VADER: (0.96, 0.61, 0.63, 0.55)}
TABLE_5 = {
    ("naive Bayes", "tweets"): (0.84, 0.53, 0.53, 0.42),
    ("maximum entropy", "tweets"): (0.83, 0.56, 0.58, 0.45),
    ("support vectors", "tweets"): (0.83, 0.56, 0.55, 0.46),
    ("support vectors for regression", "tweets"): (0.65, 0.49, 0.51, 0.46),
    ("naive Bayes", "movies"): (0.56, 0.75, 0.49, 0.44),
    ("maximum entropy", "movies"): (0.56, 0.75, 0.51, 0.45),
    ("naive Bayes", "amazon"): (0.69, 0.55, 0.61, 0.48),
    ("maximum entropy", "amazon"): (0.67, 0.55, 0.60, 0.43),
    ("support vectors", "amazon"): (0.64, 0.55, 0.58, 0.42),
    ("support vectors for regression", "amazon"): (0.54, 0.49, 0.48, 0.44),
    ("naive Bayes", "news"): (0.59, 0.56, 0.51, 0.49),
    ("maximum entropy", "news"): (0.58, 0.55, 0.51, 0.50),
}
"""Weighted F1 as printed: what was trained on half of which domain, and tested on DOMAINS. VADER is a lexicon and rules."""


def published(trained_on: str) -> dict[str, Cells]:
    """What stands beside a model that was trained on a domain; "best" is the highest cell of each column."""

    def best(allowed: Callable[[str, str], bool]) -> Cells:
        return {
            domain: max(cells[place] for (_, taught), cells in TABLE_5.items() if allowed(taught, domain))
            for place, domain in enumerate(DOMAINS)
        }

    return {
        **{name: dict(zip(DOMAINS, cells, strict=True)) for name, cells in TABLE_4.items()},
        f"best trained on {trained_on}": best(lambda taught, _: taught == trained_on),
        "best of all other domains": best(lambda taught, domain: taught != domain),
        "best of its own domain": best(lambda taught, domain: taught == domain),
    }


def mean_ratings(sentences: Sequence[RatedSentence]) -> np.ndarray:
    return np.array([np.mean(sentence.ratings) for sentence in sentences])


def weighted_f1(truth: np.ndarray, scores: np.ndarray) -> float:
    """The F1 of each sign, weighted by how often the truth has it. A class that nobody predicts has F1 0."""
    if truth.shape != scores.shape or truth.size == 0:
        raise ValueError(f"there must be one score for each of the sentences: {scores.shape} for {truth.shape}")
    true, said = np.sign(truth), np.sign(scores)
    total = 0.0
    for label in (-1, 0, 1):
        hits = np.sum((true == label) & (said == label))
        named = np.sum(true == label) + np.sum(said == label)
        total += np.mean(true == label) * (2 * hits / named if named else 0.0)
    return float(total)


def correlation(truth: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's r; 0 for scores that are all the same."""
    if np.std(scores) == 0:
        return 0.0
    return float(np.corrcoef(truth, scores)[0, 1])


def measure(sentences: Sequence[RatedSentence], scores: np.ndarray) -> dict[str, float]:
    truth = mean_ratings(sentences)
    return {"f1": weighted_f1(truth, scores), "correlation": correlation(truth, scores)}


def measure_people(sentences: Sequence[RatedSentence]) -> dict[str, float]:
    """Every single rating against the mean that it is a part of: what one person reaches."""
    counts = [len(sentence.ratings) for sentence in sentences]
    single = np.concatenate([np.array(sentence.ratings, dtype=float) for sentence in sentences])
    truth = np.repeat(mean_ratings(sentences), counts)
    return {"f1": weighted_f1(truth, single), "correlation": correlation(truth, single)}
