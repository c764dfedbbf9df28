"""A variant: a case's illness made elsewhere or otherwise than in the case itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lessons.clinic.case import Settings
from lessons.clinic.cases import CASES
from lessons.clinic.world import World

Place = Callable[[Path], World]
Made = tuple[Settings, Settings]


@dataclass(frozen=True)
class Variant:
    """`make` takes a folder in which adapters may be kept, and gives the sick and the repaired run as the case's does."""

    case: str
    name: str
    make: Callable[[Path], Made]


def elsewhere(case: str, places: Mapping[str, Place]) -> list[Variant]:
    """The illness as its case makes it, in other places."""
    return [Variant(case, name, at(CASES[case].make, place)) for name, place in places.items()]


def otherwise(case: str, name: str, place: Place, make: Callable[[World], Made]) -> Variant:
    """The illness made in another way."""
    return Variant(case, name, at(make, place))


def at(make: Callable[[World], Made], place: Place) -> Callable[[Path], Made]:
    return lambda folder: make(place(folder))
