"""How shapes, positions and numbers are written in a message: always with the names of the axes."""

from collections.abc import Sequence

import numpy as np

SHOWN = 5
"""So many numbers of ten characters stand in one line of a card in a terminal of 80 columns."""

UNNAMED = "axis "
SINGULAR = {"heads": "head"}


def axis_names(axes: str, dimensions: int) -> list[str]:
    """The names that were given, or numbers where they do not fit."""
    names = axes.split()
    return names if len(names) == dimensions else [f"axis {index}" for index in range(dimensions)]


def shape_text(shape: Sequence[int], names: Sequence[str] = ()) -> str:
    """(batch 2, heads 4), or (2, 4) without names."""
    if len(names) != len(shape):
        return "(" + ", ".join(str(length) for length in shape) + ")"
    return "(" + ", ".join(named(name, length) for name, length in zip(names, shape, strict=True)) + ")"


def place_text(index: Sequence[int], names: Sequence[str]) -> str:
    """batch 0, head 2; [0, 2] where no axis has a name. An axis that is called by its length 1 has no place worth telling."""
    if names and all(name.startswith(UNNAMED) for name in names):
        return str([int(position) for position in index])
    told = [spot(name, int(position)) for name, position in zip(names, index, strict=True) if name != "1"]
    return ", ".join(told) or "the only place"


def spot(name: str, position: int) -> str:
    """One place of one axis: query 2; of an axis whose places have names of their own, "trainable|all", the name."""
    if "|" in name:
        return name.split("|")[position]
    return f"index {position} of {name}" if name.startswith(UNNAMED) else f"{SINGULAR.get(name, name)} {position}"


def named(name: str, length: int) -> str:
    """heads 4, and 1 for an axis that is called by its length."""
    return str(length) if name == "1" else f"{name} {length}"


def number_text(value: float) -> str:
    return f"{value:.6g}"


def example_text(actual: np.ndarray, expected: np.ndarray, names: Sequence[str]) -> str:
    """The place of the largest difference, with what came and what was expected there."""
    worst = np.unravel_index(np.argmax(np.abs(actual - expected)), expected.shape)
    place = f"largest difference at {place_text([int(i) for i in worst], names)}:"
    lines = [
        *([place] if expected.ndim else []),
        f"    came      {number_text(actual[worst])}",
        f"    expected  {number_text(expected[worst])}",
    ]
    if expected.ndim and expected.shape[-1] > 1:
        *row, column = (int(position) for position in worst)
        start = max(0, min(column - 2, expected.shape[-1] - SHOWN))
        for word, values in (("came", actual), ("expected", expected)):
            lines.append(f"    {word:8}  {row_text(values[tuple(row)], start)}")
    return "\n".join(lines)


def row_text(row: np.ndarray, start: int) -> str:
    """A few neighbours along the last axis."""
    digits = 0 if (row == np.round(row)).all() else 4
    shown = " ".join(f"{value:9.{digits}f}" for value in row[start : start + SHOWN])
    return f"{'... ' if start else '    '}{shown}{' ...' if len(row) > start + SHOWN else ''}"
