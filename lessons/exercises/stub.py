"""The stub of an exercise: the real module as a student gets it. Only what they have solved can be read in it."""

import textwrap
from collections.abc import Collection

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.exercise import Exercise
from lessons.exercises.filling import Filled, filled
from lessons.exercises.helpers import helpers
from lessons.exercises.source import LIBRARY, without_bodies
from lessons.language.words import say, tell
from lessons.language.wrapping import wrapped

WIDE = 78


def live_source(exercise: Exercise) -> str:
    """The real module, as it is installed."""
    return LIBRARY.joinpath(*exercise.module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def neighbours(exercise: Exercise) -> list[Exercise]:
    """The other exercises in the same module."""
    return [each for each in all_exercises().values() if each.module == exercise.module and each.name != exercise.name]


def stub_of(exercise: Exercise, solved: Collection[str] = ()) -> str:
    """The module's source without the exercise and without its neighbours, under a few lines that say what is to be done.

    `solved`   neighbours that may be read
    """
    # The name ends its line: in the first two, Python would take "encoding: Waves" for the file's encoding (PEP 263).
    task = tell(
        "Write {targets}. The docstrings say what is wanted; the rest of the file may stay as it is.",
        targets=", ".join(exercise.targets),
    )
    heading = [
        "# " + tell("Exercise {name}", name=exercise.name),
        *comment(say(exercise.title)),
        *comment(task),
        f"# python -m lessons check {exercise.name}",
        f"# python -m lessons hint {exercise.name}",
    ]
    live = live_source(exercise)
    if lines := helpers(live, exercise.targets):
        heading += ["# " + say("You may use"), *(f"#   {line}" for line in lines)]
    source = without_bodies(live, exercise.targets, say("Your code here."))
    for other in neighbours(exercise):
        if other.name not in solved:
            left_out = tell(
                "Left out: exercise {name}. While it is empty, a check takes the library's.", name=other.name
            )
            source = without_bodies(source, other.targets, left_out)
    return "\n".join(heading) + "\n" + source


def comment(text: str) -> list[str]:
    """Lines that a terminal of 80 columns shows whole."""
    lines = [line for part in wrapped(text, WIDE).split("\n") for line in textwrap.wrap(part, WIDE) or [""]]
    return [f"# {line}".rstrip() for line in lines]


def whole(exercise: Exercise, source: str) -> Filled:
    """A student's file as it is run: with the library's bodies where its neighbours are left out."""
    return filled(source, live_source(exercise), [target for other in neighbours(exercise) for target in other.targets])
