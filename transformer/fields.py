"""Settings are what their annotations say: a dataclass looks at every field once, when it is made.

A file may hold anything, and so may a caller's variable: text for a number, a list for a name, NaN for a rate.
"""

import math
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from reprlib import repr as in_short
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

WORDS = {int: "an integer", float: "a finite number", bool: "True or False", str: "text", types.NoneType: "None"}


def check_fields(settings: Any) -> None:
    """Raises ValueError for a field that is not of its annotated type, and for a number that is NaN or infinite."""
    kinds = kinds_of(settings.__class__)
    for item in fields(settings):
        value = getattr(settings, item.name)
        if not fits(value, kinds[item.name]):
            raise ValueError(f"{item.name} must be {in_words(kinds[item.name])}, not {in_short(value)}")


@cache
def kinds_of(settings: type) -> dict[str, Any]:
    return get_type_hints(settings)


def fits(value: Any, kind: Any) -> bool:
    """Whether the value is of this type. An integer counts as a number, True does not, and text is no list of letters."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in inner)
    if origin is tuple and inner[-1] is not Ellipsis:
        return isinstance(value, tuple) and len(value) == len(inner) and all(map(fits, value, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if isinstance(origin, type) and issubclass(origin, Collection):
        return isinstance(value, origin) and not isinstance(value, str) and all(fits(one, inner[0]) for one in value)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is int:
        return type(value) is int
    return isinstance(value, kind) if isinstance(kind, type) else True


def require_integer(name: str, value: Any, at_least: int) -> None:
    """Raises ValueError for what is no integer, or a smaller one."""
    if not fits(value, int):
        raise ValueError(f"{name} must be {in_words(int)}, not {in_short(value)}")
    require_at_least(name, value, at_least)


def require_at_least(name: str, value: float, least: int) -> None:
    """Raises ValueError for a smaller one."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")


def in_words(kind: Any) -> str:
    """What a value must be, as a message says it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(in_words(one) for one in inner)
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin is tuple and inner[-1] is not Ellipsis:
        return f"a pair of {in_words(inner[0])} and {in_words(inner[1])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of {in_words(inner[0])} to {in_words(inner[1])}"
    if isinstance(origin, type) and issubclass(origin, Collection):
        return f"a list of {in_words(inner[0])}"
    return WORDS.get(kind, getattr(kind, "__name__", "something else"))


def in_one_line(names: Iterable[str]) -> str:
    """Names from a file as a message can show them: on one line, the first of many."""
    return the_first([name if name.isprintable() and len(name) < 80 else in_short(name) for name in names], ", ")


def the_first(found: Sequence[str], between: str = "; ", most: int = 8) -> str:
    """What was found, as a message can show it: the first of many, and how many more there are."""
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return between.join(found[:most]) + more
