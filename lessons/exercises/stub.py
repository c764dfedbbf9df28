"""The stub of an exercise: the real module as a student gets it, with the exercise cut out."""

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import LIBRARY, without_bodies


def live_source(exercise: Exercise) -> str:
    """The real module, as it is installed."""
    return LIBRARY.joinpath(*exercise.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def stub_of(exercise: Exercise) -> str:
    """The module's source with the exercise cut out, under a few lines that say what is to be done."""
    # The name ends its line: in the first two, Python would take "encoding: Waves" for the file's encoding (PEP 263).
    heading = [
        f"# Exercise {exercise.name}",
        f"# {exercise.title}",
        f"# Write {', '.join(exercise.targets)}. The docstrings say what is wanted; the rest of the file may stay as it is.",
        f"# python -m lessons check {exercise.name}    python -m lessons hint {exercise.name}",
    ]
    return "\n".join(heading) + "\n" + without_bodies(live_source(exercise), exercise.targets)
