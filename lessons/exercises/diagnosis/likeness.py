"""What a wrong result looks like, in one sentence.

Every kind of mistake is asked in the order of `KINDS`; the first that recognizes the result is believed.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lessons.exercises.diagnosis.arrangement import (
    backwards,
    complement,
    permuted,
    right_in_places,
    right_where_open,
    scrambled,
    shifted,
    swapped_axes,
)
from lessons.exercises.diagnosis.case import Case
from lessons.exercises.diagnosis.sizes import (
    constant_factor,
    constant_offset,
    factor_per_row,
    imprecise,
    nothing,
    offset_per_row,
    opposite_sign,
)


def known_mistake(case: Case) -> str:
    for sentence, result in case.mistakes.items():
        if case.equal(case.actual, np.broadcast_to(result, case.expected.shape)):
            return sentence
    return ""


def two_known_mistakes(case: Case) -> str:
    """Two of them at once, where their differences add up or their factors multiply."""
    wrong = {sentence: np.broadcast_to(result, case.expected.shape) for sentence, result in case.mistakes.items()}
    for (one, a), (other, b) in itertools.combinations(wrong.items(), 2):
        if case.equal(a, case.expected) or case.equal(b, case.expected) or case.equal(a, b):
            continue
        whole = np.where(case.expected == 0, 1, case.expected)
        if case.equal(case.actual, a + b - case.expected) or case.equal(case.actual, a * b / whole):
            return f"two things at once: {one}; and {other}"
    return ""


def known_mistake_and_more(case: Case) -> str:
    """A known mistake, and its result turned, moved or scaled."""
    for sentence, result in case.mistakes.items():
        wrong = np.broadcast_to(result, case.expected.shape)
        if case.equal(wrong, case.expected) or not np.ptp(wrong):
            continue
        for kind in (opposite_sign, constant_factor, swapped_axes, shifted, permuted, complement):
            if more := kind(replace(case, expected=wrong)):
                return f"two things at once: {sentence}; and {more}"
    return ""


KINDS: tuple[Callable[[Case], str], ...] = (
    known_mistake,
    nothing,
    complement,
    opposite_sign,
    constant_factor,
    swapped_axes,
    backwards,
    shifted,
    permuted,
    constant_offset,
    two_known_mistakes,
    known_mistake_and_more,
    imprecise,
    right_where_open,
    factor_per_row,
    offset_per_row,
    scrambled,
    right_in_places,
)


def likeness(case: Case) -> str:
    """The sentence, or nothing when the difference looks like nothing known."""
    return next((sentence for kind in KINDS if (sentence := kind(case))), "")
