"""Which change of the right code computes what came: one change, or two at once."""

import itertools
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from lessons.exercises.exercise import Exercise
from lessons.exercises.probes import load_probe
from lessons.exercises.recognition.changes import Change, applied, catalogued, changes
from lessons.exercises.recognition.in_place import in_place

SINGLE_SECONDS, PAIR_SECONDS = 8.0, 3.0
"""Of processor time, for all single changes, and for all pairs."""

Answer = Mapping[str, Tensor]


def recognized(exercise: Exercise, live: str, seed: int, answer: Answer, told: str = "") -> str:
    """What is wrong in words; empty where no change computes the same. `answer` is what the probe gave for the seed.

    `told`   what the card says already: it is no cause of itself
    """
    right = load_probe(exercise.probe)(seed)
    if same(right, answer):
        return ""
    known = [change for change in catalogued(exercise, live) if change.sentence not in told]
    single = list(changes(live, exercise.targets))
    seen: list[Change] = []
    started = time.process_time()
    for change in [*known, *single]:
        if time.process_time() - started > SINGLE_SECONDS:
            break
        came = computed(exercise, applied(live, [change]), seed)
        if same(came, answer):
            return change.sentence
        if came and not same(came, right):
            seen.append(change)
    started = time.process_time()
    for one, other in pairs(seen):
        if time.process_time() - started > PAIR_SECONDS:
            break
        both = [one, other] if one.apart(other) else nested(one, other, live.encode())
        if both and same(computed(exercise, applied(live, both), seed), answer):
            return f"two things at once: {one.sentence}; and {other.sentence}"
    return ""


def pairs(seen: Sequence[Change]) -> Iterator[tuple[Change, Change]]:
    """The likeliest first: those whose places in the list add up to a small number."""
    order = sorted(itertools.combinations(range(len(seen)), 2), key=sum)
    return ((seen[i], seen[j]) for i, j in order)


def nested(one: Change, other: Change, live: bytes) -> list[Change]:
    """One change within what the other keeps, as a single one; empty where they exclude each other."""
    found = one.around(other, live) or other.around(one, live)
    return [found] if found else []


def computed(exercise: Exercise, source: str, seed: int) -> Answer:
    """What the probe gives for the changed source; nothing where it cannot be run."""
    try:
        with warnings.catch_warnings(action="ignore"), in_place(exercise.module, exercise.targets, source):
            return load_probe(exercise.probe)(seed)
    except Exception:  # most changes fit no shape
        return {}


def same(one: Answer, other: Answer) -> bool:
    return list(one) == list(other) and all(equal(value, other[name]) for name, value in one.items())


def equal(one: Tensor, other: Tensor) -> bool:
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):  # a change may give back anything
        return False
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.allclose(one.double(), other.double(), rtol=1e-7, atol=1e-9, equal_nan=True)
