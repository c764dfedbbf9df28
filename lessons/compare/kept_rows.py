"""Rows that a run has kept, read again: whole and of the right kinds, or refused in one line that says what to delete.

A shape is a type; or a dictionary of what an object must hold, where ANY stands for every name; or [shape] for a list of one item
and more, [shape, ...] for one that may be empty; or a tuple of shapes of which one must fit. What is there beside stays.
"""

import math
from pathlib import Path
from typing import Any

from lessons.compare.row import UNTUNED
from transformer.learning.formats import read_json

ANY = "*"
NUMBER = float
ERROR = {"phoneme_error": NUMBER, "word_error": NUMBER}
BASE_ROW = {"method": str, "seed": int, "american": ERROR, "british": ERROR, "said": {ANY: str}}
ROW = BASE_ROW | {
    "american_disabled": (ERROR, type(None)),
    "trainable_parameters": int,
    "trainable_percent": NUMBER,
    "adapter_bytes": int,
    "seconds": NUMBER,
    "peak_memory_bytes": int,
    "learning_rate": NUMBER,
    "loss_curve": [[NUMBER]],
}
"""What the table, the figures and the page read of a row (lessons/compare/row.py)."""


def shape_of(method: str) -> dict[str, Any]:
    """Of a row of this technique."""
    return BASE_ROW if method == UNTUNED else ROW


def read_kept(file: Path, shape: Any) -> Any:
    """What the file holds. Raises ValueError, naming the file and the field, where it has not this shape."""
    row = read_json(file)
    if wrong := misfit(row, shape):
        raise ValueError(f"{file} does not hold what this run keeps: {wrong}; delete it, and it is made anew")
    return row


def misfit(value: Any, shape: Any, name: str = "it") -> str:
    """What does not fit, by its path; empty where all does."""
    if isinstance(shape, tuple):
        found = [misfit(value, one, name) for one in shape]
        return "" if "" in found else found[0]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return f"{name} is no object"
        each = {key: shape.get(key, shape.get(ANY)) for key in (value if ANY in shape else shape)}
        if missing := [key for key in each if key not in value]:
            return f"{name} has no {missing[0]}"
        return next(filter(None, (misfit(value[key], one, f"{key[:40]}") for key, one in each.items())), "")
    if isinstance(shape, list):
        if not isinstance(value, list) or (len(shape) == 1 and not value):
            return f"{name} is {'empty' if value == [] else 'no list'}"
        return next(filter(None, (misfit(one, shape[0], f"an item of {name}") for one in value)), "")
    return "" if is_a(value, shape) else f"{name} is no {'number' if shape is NUMBER else shape.__name__}"


def is_a(value: Any, kind: type) -> bool:
    """JSON's kinds: a whole number is a number too, True is none, and no number is infinite."""
    if kind in (int, NUMBER):
        kinds = (int,) if kind is int else (int, float)
        return type(value) in kinds and -1e18 < value < 1e18 and math.isfinite(value)
    return isinstance(value, kind)
