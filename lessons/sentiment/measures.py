"""How well a score agrees with people: three classes by its sign, a weighted F1, and a correlation.

    F1_c = 2 P_c R_c / (P_c + R_c)        F1 = Σ_c share_c F1_c           c ∈ {negative, neutral, positive}

The class of a sentence is the sign of its mean rating, and the class of a prediction is its sign. That this is what the
published table means was found by computing its row of single people from the ratings: .841, .922, .851, .647.

Paper     "VADER: A Parsimonious Rule-based Model for Sentiment Analysis" (Hutto and Gilbert 2014), tables 4 and 5
"""

from collections.abc import Sequence

import numpy as np

from lessons.data.feedback import RatedSentence

PUBLISHED = {
    "single people": {"tweets": 0.84, "movies": 0.92, "amazon": 0.85, "news": 0.65},
    "VADER": {"tweets": 0.96, "movies": 0.61, "amazon": 0.63, "news": 0.55},
    "naive Bayes, movies": {"tweets": 0.56, "movies": 0.75, "amazon": 0.49, "news": 0.44},
    "maximum entropy, movies": {"tweets": 0.56, "movies": 0.75, "amazon": 0.51, "news": 0.45},
    "best of other domains": {"tweets": 0.69, "movies": 0.56, "amazon": 0.58, "news": 0.48},
    "best of its own domain": {"tweets": 0.84, "movies": 0.75, "amazon": 0.61, "news": 0.50},
}
"""Weighted F1 as printed. VADER is a lexicon and rules. The last two rows are the highest machine-learning cells of each
column: of models trained on another domain, and of models trained on half of that very domain."""


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
