"""Is each token asked for one step after it was read? share of labels that are the token just read, or the one after next"""

from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.reading import Reading
from lessons.clinic.run import Run

MOST = 0.9


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens:
        return
    same = agreement(run, 0)
    says = f"{same:.0%} of the tokens asked for are the token just read"
    yield Measurement("labels-not-shifted", same, says, same > MOST and agreement(run, 1) < MOST)
    late = agreement(run, 2)
    says = f"{late:.0%} of the tokens asked for are the one after the next"
    yield Measurement("labels-shifted-twice", late, says, late > MOST and agreement(run, 1) < MOST)


def agreement(run: Run, step: int) -> float:
    """How many of the labels are the token that is read `step` places later."""
    hits = [hit for reading in run.batches for hit in equal(reading, step)]
    return sum(hits) / len(hits) if hits else 0.0


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
