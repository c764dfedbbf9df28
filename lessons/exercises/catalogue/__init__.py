"""All exercises, one small file for each topic of the course, in the order in which they should be solved."""

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from lessons.exercises.exercise import Exercise

LIST = "`python -m lessons list` shows them all"


@cache
def all_exercises() -> dict[str, Exercise]:
    """Name → exercise, by lesson and then as the topic's file lists them."""
    found: list[Exercise] = []
    for topic in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        found += importlib.import_module(f"{__name__}.{topic}").EXERCISES
    return {exercise.name: exercise for exercise in sorted(found, key=lambda exercise: exercise.lesson)}


def chosen(names: Sequence[str] | None) -> list[Exercise]:
    """The exercises with these names; all of them without names."""
    return [get(name) for name in names] if names else list(all_exercises().values())


def get(name: str) -> Exercise:
    """Raises ValueError for an unknown name, with those that are near it."""
    exercises = all_exercises()
    if name not in exercises:
        near = [other for other in exercises if name.lower() in other or other in name.lower()]
        raise ValueError(f"there is no exercise {name!r}; " + (f"did you mean {', '.join(near)}?" if near else LIST))
    return exercises[name]
