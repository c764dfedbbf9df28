"""What a wrong result looks like, in one sentence.

Every kind of mistake is asked in the order of `KINDS`; the first that recognizes the result is believed.
"""

from collections.abc import Callable

import numpy as np

from lessons.exercises.diagnosis.arrangement import (
    permuted,
    right_in_places,
    right_where_open,
    scrambled,
    shifted,
    swapped_axes,
)
from lessons.exercises.diagnosis.case import Case
from lessons.exercises.diagnosis.sizes import constant_factor, constant_offset, imprecise, nothing, opposite_sign


def known_mistake(case: Case) -> str:
    for sentence, result in case.mistakes.items():
        if case.equal(case.actual, np.broadcast_to(result, case.expected.shape)):
            return sentence
    return ""


KINDS: tuple[Callable[[Case], str], ...] = (
    known_mistake,
    nothing,
    opposite_sign,
    constant_factor,
    swapped_axes,
    shifted,
    permuted,
    constant_offset,
    imprecise,
    right_where_open,
    scrambled,
    right_in_places,
)


def likeness(case: Case) -> str:
    """The sentence, or nothing when the difference looks like nothing known."""
    return next((sentence for kind in KINDS if (sentence := kind(case))), "")
