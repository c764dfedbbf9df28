"""Mistakes of size: a sign, a factor, an offset, a rounding. Each function says its sentence, or nothing."""

import math
from collections.abc import Iterator

import numpy as np

from lessons.exercises.diagnosis.case import Case
from lessons.exercises.diagnosis.show import number_text


def nothing(case: Case) -> str:
    if case.expected.size > 1 and not case.actual.any():
        return "every value is 0"
    return ""


def opposite_sign(case: Case) -> str:
    return "every value has the opposite sign" if case.equal(-case.actual, case.expected) else ""


def constant_factor(case: Case) -> str:
    norm = float((case.expected**2).sum())
    factor = float((case.actual * case.expected).sum()) / norm if norm else 0.0
    if not factor or not case.equal(case.actual, factor * case.expected):
        return ""
    size, way = (abs(factor), "large") if abs(factor) > 1 else (1 / abs(factor), "small")
    called = "".join(f" = {name}" for name in named(size, case))
    sign = " and has the opposite sign" if factor < 0 else ""
    return f"every value is {number_text(round(size, 4))}{called} times too {way}{sign}: is a factor missing, or there twice?"


def named(size: float, case: Case) -> Iterator[str]:
    """What the number may stand for: a factor of the formula, or an axis's length or its root."""
    lengths = dict(zip(case.names, case.expected.shape, strict=True))
    roots = {f"√{name}": math.sqrt(length) for name, length in lengths.items() if length > 1}
    by_axes = {**{name: float(n) for name, n in lengths.items() if n > 1}, **roots}
    # A factor of the formula explains more than a length that happens to be equal.
    for name, value in (case.scales or by_axes).items():
        if value and value != 1 and math.isclose(size, value, rel_tol=1e-4):
            yield name
        elif value and value != 1 and math.isclose(size, 1 / value, rel_tol=1e-4):
            yield f"1 / ({name})"


def constant_offset(case: Case) -> str:
    offset = float((case.actual - case.expected).mean())
    if case.expected.size > 1 and case.equal(case.actual, case.expected + offset):
        return f"every value is {number_text(abs(offset))} too {'large' if offset > 0 else 'small'}"
    return ""


def imprecise(case: Case) -> str:
    size = float(np.abs(case.expected).max())
    error = float(np.abs(case.actual - case.expected).max())
    if size and error / size < 2e-3:
        digits = max(1, math.floor(-math.log10(error / size)))
        return f"right up to about {digits} digits: is something rounded, or is a small constant (ε) elsewhere?"
    return ""
