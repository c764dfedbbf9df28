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
    if not case.equal(-case.actual, case.expected):
        return ""
    return "every value has the opposite sign" if case.expected.size > 1 else "it has the opposite sign"


def constant_factor(case: Case) -> str:
    norm = float((case.expected**2).sum())
    factor = float((case.actual * case.expected).sum()) / norm if norm else 0.0
    if not factor or not case.equal(case.actual, factor * case.expected):
        return ""
    if case.expected.size == 1 and not any(named(max(abs(factor), 1 / abs(factor)), case)):
        return ""  # a single number is a multiple of every other
    is_large = abs(factor) > 1
    size = abs(factor) if is_large else 1 / abs(factor)
    factors = [number_text(round(size, 4)), *named(size, case)]
    many, times = case.expected.size > 1, " = ".join(factors)
    if is_large:
        said = f"every value is {times} times too large" if many else f"it is {times} times too large"
    else:
        said = f"every value is {times} times too small" if many else f"it is {times} times too small"
    said = f"{said} and has the opposite sign" if factor < 0 else said
    return f"{said}: is a factor missing, or there twice?" if len(factors) > 1 else said


def named(size: float, case: Case) -> Iterator[str]:
    """What the number may stand for: a factor of the formula, or an axis's length or its root."""
    lengths = dict(zip(case.names, case.expected.shape, strict=True))
    roots = {f"√{name}": math.sqrt(length) for name, length in lengths.items() if length > 1}
    by_axes = {**{name: float(n) for name, n in lengths.items() if n > 1}, **roots}
    # A factor of the formula explains more than a length that happens to be equal.
    for name, value in {**(case.scales or by_axes), "ln 2": math.log(2)}.items():
        if value and value != 1 and math.isclose(size, value, rel_tol=1e-4):
            yield name
        elif value and value != 1 and math.isclose(size, 1 / value, rel_tol=1e-4):
            yield f"1 / ({name})"


def constant_offset(case: Case) -> str:
    offset = float((case.actual - case.expected).mean())
    if case.expected.size > 1 and case.equal(case.actual, case.expected + offset):
        size = number_text(abs(offset))
        return f"every value is {size} too large" if offset > 0 else f"every value is {size} too small"
    return ""


def factor_per_row(case: Case) -> str:
    """What divides each vector is another number: a deviation that is taken otherwise, most of the time."""
    if case.expected.ndim < 2 or case.expected.shape[-1] < 3:
        return ""
    norm = (case.expected**2).sum(-1, keepdims=True)
    factors = (case.actual * case.expected).sum(-1, keepdims=True) / np.where(norm == 0, 1, norm)
    if not case.equal(case.actual, factors * case.expected):
        return ""
    low, high = number_text(round(float(factors.min()), 3)), number_text(round(float(factors.max()), 3))
    return f"each vector along {case.names[-1]} is a multiple of the right one, {low} to {high} times: what is it divided by?"


def offset_per_row(case: Case) -> str:
    if case.expected.ndim < 2 or case.expected.shape[-1] < 3:
        return ""
    offsets = (case.actual - case.expected).mean(-1, keepdims=True)
    if not case.equal(case.actual, case.expected + offsets):
        return ""
    return f"each vector along {case.names[-1]} is moved by a number of its own: which mean is subtracted, or which bias added?"


def imprecise(case: Case) -> str:
    size = float(np.abs(case.expected).max())
    if not size:
        return ""
    error = float(np.abs(case.actual - case.expected).max())
    wrong = ~case.right()
    own = np.abs(case.actual - case.expected)[wrong] / np.maximum(np.abs(case.expected[wrong]), 1e-3 * size)
    if error / size < 2e-3 and float(np.median(own)) < 0.05:
        digits = max(1, math.floor(-math.log10(error / size)))
        return f"right up to about {digits} digits: is something rounded, or is a small constant (ε) elsewhere?"
    return ""
