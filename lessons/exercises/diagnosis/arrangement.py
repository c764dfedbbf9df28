"""Mistakes of arrangement: the right numbers elsewhere, or right numbers only somewhere. Each function says its sentence, or nothing."""

import itertools

import numpy as np

from lessons.exercises.diagnosis.case import Case
from lessons.exercises.diagnosis.show import spot

MOST_PERMUTED = 6


def swapped_axes(case: Case) -> str:
    for first, second in itertools.combinations(range(case.expected.ndim), 2):
        if case.equal(case.actual, np.swapaxes(case.expected, first, second)):
            return f"transposed: the axes {case.names[first]} and {case.names[second]} are swapped"
    return ""


def complement(case: Case) -> str:
    """Of masks: ones and zeros."""
    is_mask = np.isin(case.expected, (0, 1)).all() and np.isin(case.actual, (0, 1)).all()
    if is_mask and case.expected.size > 1 and case.equal(case.actual, 1 - case.expected):
        return "it is the other way round: every True is a False, and every False a True (True means: may be attended to, is real)"
    return ""


def backwards(case: Case) -> str:
    for axis, name in enumerate(case.names):
        if case.expected.shape[axis] > 1 and case.equal(case.actual, np.flip(case.expected, axis)):
            return f"the order along the axis {name} is reversed"
    return ""


def shifted(case: Case) -> str:
    for axis, name in enumerate(case.names):
        length = case.expected.shape[axis]
        if length < 3:
            continue
        early = np.take(case.actual, range(length - 1), axis), np.take(case.expected, range(1, length), axis)
        late = np.take(case.actual, range(1, length), axis), np.take(case.expected, range(length - 1), axis)
        if case.equal(*early):
            return f"off by one: along the axis {name} every value comes one place too early"
        if case.equal(*late):
            return f"off by one: along the axis {name} every value comes one place too late"
    return ""


def permuted(case: Case) -> str:
    """The slices of one axis are all there, in another order: heads, most of the time."""
    for axis, name in enumerate(case.names):
        length = case.expected.shape[axis]
        if not 1 < length <= MOST_PERMUTED:
            continue
        actual, expected = np.moveaxis(case.actual, axis, 0), np.moveaxis(case.expected, axis, 0)
        origin = [next((j for j in range(length) if case.equal(actual[i], expected[j])), None) for i in range(length)]
        if None not in origin and len(set(origin)) == length:
            return f"the axis {name} is in another order: place {', '.join(map(str, range(length)))} holds {', '.join(map(str, origin))}"
    return ""


def right_where_open(case: Case) -> str:
    if case.open is None:
        return ""
    is_open = np.broadcast_to(case.open, case.expected.shape)
    right = case.right()
    if right[is_open].all() and is_open.any() and not right[~is_open].any():
        return "right only where nothing is masked: is the mask used, and is True taken as 'may be attended to'?"
    return ""


def right_in_places(case: Case) -> str:
    """Right (or wrong) exactly at some places of one axis."""
    right = case.right()
    for axis, name in enumerate(case.names):
        whole = right.all(axis=tuple(other for other in range(right.ndim) if other != axis))
        good, bad = np.flatnonzero(whole), np.flatnonzero(~whole)
        if len(good) == 1:
            return f"right only at {spot(name, good[0])}"
        if len(good) > 1 and len(bad):
            listed = ", ".join(str(index) for index in bad[1:5])
            more = f", {listed}" if listed else ""
            return f"wrong only at {spot(name, bad[0])}{more}{' ...' if len(bad) > 5 else ''}"
    return ""


def scrambled(case: Case) -> str:
    if (
        case.expected.size > 2
        and len(np.unique(case.expected)) > 2
        and case.equal(np.sort(case.actual, axis=None), np.sort(case.expected, axis=None))
    ):
        return "the right numbers at the wrong places: in another order, or reshaped where the axes had to be moved"
    return ""
