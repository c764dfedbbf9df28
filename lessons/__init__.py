"""The course: lessons, exercises, the real data of the pronunciation task and the commands that run them."""

from typing import Any

NOTEBOOK = {"hint": "hint", "start": "start", "next": "next_exercise", "next_exercise": "next_exercise"}
"""What a notebook gets under which name."""


def __dir__() -> list[str]:
    return [*globals(), "check", "load_base", *NOTEBOOK]


def __getattr__(name: str) -> Any:
    """`from lessons import check, hint, start, load_base` for notebooks; nothing is imported before it is asked for."""
    if name == "check":
        from lessons.exercises.student.notebook import check

        return check
    if name in NOTEBOOK:
        from lessons.exercises.student import notebook_help

        return getattr(notebook_help, NOTEBOOK[name])
    if name == "load_base":
        from lessons.task.base import load_base

        return load_base
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
