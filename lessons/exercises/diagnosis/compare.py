"""The comparison that graders use. A failure speaks in this order: kind, shape, dtype, finite, property, value."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lessons.exercises.diagnosis.case import Case
from lessons.exercises.diagnosis.cause import OPEN, with_cause
from lessons.exercises.diagnosis.likeness import likeness
from lessons.exercises.diagnosis.show import axis_names, example_text, place_text, shape_text

Property = Callable[[np.ndarray], Any]


def assert_matches(actual: Any, expected: Any, axes: str = "", **known: Any) -> None:
    """Raises AssertionError with a diagnosis unless `actual` is a tensor equal to `expected`.

    `axes`   the names of the axes, "batch heads query key"
    `known`  see `difference`
    """
    __tracebackhide__ = True
    if message := difference(actual, expected, axes, **known):
        raise MismatchError(message, actual)


class MismatchError(AssertionError):
    """A diagnosis, and what it speaks of."""

    def __init__(self, message: str, actual: Any):
        super().__init__(message)
        self.actual = actual


def difference(
    actual: Any,
    expected: Any,
    axes: str = "",
    name: str = "the output",
    dtype: torch.dtype | None = None,
    scales: Mapping[str, float] | None = None,
    open: Any = None,
    mistakes: Mapping[str, Any] | None = None,
    properties: Mapping[str, Property] | None = None,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> str:
    """What is wrong with `actual`, or "" when nothing is.

    `expected`    a tensor, an array or numbers; its dtype counts only if `dtype` is given
    `scales`      the factors of the formula by name, {"√d_head": 2.83}: a wrong factor is named after them
    `open`        True where nothing is masked
    `mistakes`    sentence → the result of that mistake
    `properties`  sentence → a function of the array that is true when the sentence is
    """
    if type(actual) not in (Tensor, nn.Parameter):
        return kind_message(actual, name)
    wanted = array(expected)
    names = axis_names(axes, wanted.ndim)
    if tuple(actual.shape) != wanted.shape:
        return shape_message(tuple(actual.shape), wanted.shape, names, axes, name)
    came = array(actual)
    if dtype is not None and actual.dtype != dtype:
        return f"dtype: {name} is {actual.dtype}, not {dtype}"
    wrong = {sentence: array(result) for sentence, result in (mistakes or {}).items()}
    if message := finite_message(came, wanted, names, name):
        known = next((sentence for sentence, result in wrong.items() if np.array_equal(came, result, True)), "")
        return with_cause(message, known) if known else message
    for sentence, holds in (properties or {}).items():
        if not holds(came):
            return f"property: {sentence}; {name} does not\n{example_text(came, wanted, names)}"
    both = np.isfinite(wanted)
    came, wanted = np.where(both, came, 0.0), np.where(both, wanted, 0.0)
    is_open = None if open is None else array(open).astype(bool)
    return value_message(Case(came, wanted, names, rtol, atol, scales or {}, is_open, wrong), name)


def array(values: Any) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def kind_message(actual: Any, name: str) -> str:
    kind = type(actual).__name__
    way_out = {
        "NoneType": ": is `return` missing?",
        "tuple": f" of {len(actual) if isinstance(actual, tuple) else 0}",
        "float": ": keep it a tensor, so that gradients flow",
    }.get(kind, "")
    return f"kind: {name} is a {kind}, not a Tensor{way_out}"


def shape_message(came: tuple[int, ...], wanted: tuple[int, ...], names: list[str], axes: str, name: str) -> str:
    lines = [
        f"shape: {name}: another shape is expected",
        f"    came      {shape_text(came)}",
        f"    expected  {shape_text(wanted, names if axes else ())}",
    ]
    if sorted(came) == sorted(wanted) and len(set(wanted)) == len(wanted):
        order = ", ".join(names[wanted.index(length)] for length in came)
        lines.append(f"    the axes came in the order {order}")
    elif len(came) == len(wanted) - 1:
        lines.append(
            "    one axis is missing: is a sum or mean without keepdim, or an index without a colon, in the way?"
        )
    return "\n".join(lines)


def finite_message(came: np.ndarray, wanted: np.ndarray, names: list[str], name: str) -> str:
    """Infinities that are expected must stand where they are expected; everything else must be finite."""
    same_infinity = (came == wanted) & ~np.isfinite(wanted)
    broken = (~np.isfinite(came) | ~np.isfinite(wanted)) & ~same_infinity
    if not broken.any():
        return ""
    first = tuple(int(position) for position in np.argwhere(broken)[0])
    count = f"{int(broken.sum())} of {broken.size} values"
    if np.isfinite(came[first]):
        return f"finite: {name} is {came[first]:.6g}{at(first, names)}, where {wanted[first]} is expected ({count})"
    kind = "NaN" if np.isnan(came[first]) else "infinite"
    if not first:
        return f"finite: {name} is {kind}, where {wanted[first]:.6g} is expected"
    return f"finite: {name} is {kind}{at(first, names)} ({count}); expected {wanted[first]:.6g} there"


def at(place: tuple[int, ...], names: list[str]) -> str:
    return f" at {place_text(place, names)}" if place else ""


def value_message(case: Case, name: str) -> str:
    """What the difference looks like, and where it is largest."""
    if case.equal(case.actual, case.expected):
        return ""
    said = likeness(case) or OPEN
    return f"value: {name}: {said}\n{example_text(case.actual, case.expected, case.names)}"
