"""Which learning rate to try next: along one ladder, by factors of about three, until the best is inside what was tried.

    ..., 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, ...

A best rate at the edge of what was tried says nothing: beyond it may lie a better one. So the ladder is climbed to both
sides of the best, with one seed; then the best and its two neighbours get the other seeds, and the mean over the seeds
decides. Where that makes another rate the best, it goes on from there. What failed counts as infinitely wrong.
"""

from collections.abc import Iterable, Mapping
from math import isfinite, log10
from statistics import mean

Tried = Mapping[float, Mapping[int, float]]
"""Rate → seed → error; infinite where the run failed."""

LOWEST, HIGHEST = 1e-6, 100.0
"""Where the ladder ends: a best rate that is still at an edge here is none."""


def rung_of(rate: float) -> int:
    """The number of the rung nearest to a rate: -6 for 0.001, -5 for 0.003. Raises ValueError for a rate that is none."""
    if not (isfinite(rate) and rate > 0):
        raise ValueError(f"a learning rate is a positive number, not {rate:g}")
    return round(2 * log10(rate))


def rate_at(rung: int) -> float:
    return float(f"{3 if rung % 2 else 1}e{rung // 2}")


def on_ladder(rates: Iterable[float]) -> list[float]:
    """The rungs from the lowest of these rates to the highest, none left out."""
    rungs = sorted(map(rung_of, rates))
    return [rate_at(rung) for rung in range(rungs[0], rungs[-1] + 1)]


def next_runs(first: Iterable[float], tried: Tried, seeds: int) -> list[tuple[float, int]]:
    """The (rate, seed) that are wanted now, those of `first` to begin with; none when the search is over."""
    begun = [(rate, 0) for rate in on_ladder(first) if 0 not in tried.get(rate, {})]
    if begun:
        return begun
    around = neighbourhood(least(tried))
    if wider := [(rate, 0) for rate in around if rate not in tried]:
        return wider
    return [(rate, seed) for rate in around for seed in range(seeds) if seed not in tried[rate]]


def best_inside(tried: Tried) -> float | None:
    """The rate with the least mean error, if what was tried lies on both sides of it."""
    if not tried:
        return None
    best = least(tried)
    inside = min(tried) < best < max(tried)
    return best if inside and isfinite(mean(tried[best].values())) else None


def least(tried: Tried) -> float:
    """The rate with the least mean error over its seeds; of equal ones the lowest."""
    return min(sorted(tried), key=lambda rate: mean(tried[rate].values()))


def neighbourhood(rate: float) -> list[float]:
    """The rate and the rungs beside it, as far as the ladder goes."""
    rung = rung_of(rate)
    return [near for near in map(rate_at, (rung - 1, rung, rung + 1)) if LOWEST <= near <= HIGHEST]
