"""The course: lessons, exercises, the real data of the pronunciation task and the commands that run them."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`from lessons import check, load_base` for notebooks; nothing is imported before it is asked for."""
    if name == "check":
        from lessons.exercises.student.notebook import check

        return check
    if name == "load_base":
        from lessons.task.base import load_base

        return load_base
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
