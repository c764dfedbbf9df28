"""Is each token asked for one step after it was read? share of labels that are the token just read, or the one after next"""

from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.reading import Reading
from lessons.clinic.run import Run

MOST = 0.9
FEWEST = 4
"""Of fewer labels a share says nothing."""


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens:
        return
    for name, step, which in (
        ("labels-not-shifted", 0, "the token just read"),
        ("labels-shifted-twice", 2, "the one after the next"),
    ):
        shares = [agreement(reading, step) for reading in run.batches]
        right = [agreement(reading, 1) for reading in run.batches]
        worst = max(range(len(shares)), key=lambda index: shares[index] - right[index])
        says = f"{shares[worst]:.0%} of the tokens asked for are {which}"
        sick = shares[worst] > MOST and right[worst] < MOST
        yield Measurement(name, shares[worst], says, sick, f"batch {worst + 1}" if sick else "")


def agreement(reading: Reading, step: int) -> float:
    """How many of a batch's labels are the token that is read `step` places later."""
    hits = equal(reading, step)
    return sum(hits) / len(hits) if len(hits) >= FEWEST else 0.0


def equal(reading: Reading, step: int) -> list[bool]:
    inputs, labels, counted = reading.inputs, reading.labels, reading.counted
    length = labels.shape[1] - step
    if length < 1:
        return []
    found = inputs[:, step:] == labels[:, :length]
    return torch.masked_select(
        found, counted[:, :length] & reading.real[:, :length] & real_ahead(reading, step)
    ).tolist()


def real_ahead(reading: Reading, step: int) -> torch.Tensor:
    """Whether the place `step` further on is still within the row."""
    return reading.real[:, step:]
