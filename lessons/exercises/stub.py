"""The stub of an exercise: the real module as a student gets it. Only what they have solved can be read in it."""

from collections.abc import Collection

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.exercise import Exercise
from lessons.exercises.filling import Filled, filled
from lessons.exercises.helpers import helpers
from lessons.exercises.source import LIBRARY, without_bodies
from lessons.language.words import say, tell


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
    heading = [
        "# " + tell("Exercise {name}", name=exercise.name),
        f"# {say(exercise.title)}",
        "# "
        + tell(
            "Write {targets}. The docstrings say what is wanted; the rest of the file may stay as it is.",
            targets=", ".join(exercise.targets),
        ),
        f"# python -m lessons check {exercise.name}    python -m lessons hint {exercise.name}",
    ]
    live = live_source(exercise)
    if lines := helpers(live, exercise.targets):
        heading += ["# " + say("You may use"), *(f"#   {line}" for line in lines)]
    source = without_bodies(live, exercise.targets, say("Your code here."))
    for other in neighbours(exercise):
        if other.name not in solved:
            comment = tell(
                "Left out: exercise {name}. While it is empty, a check takes the library's.", name=other.name
            )
            source = without_bodies(source, other.targets, comment)
    return "\n".join(heading) + "\n" + source


def whole(exercise: Exercise, source: str) -> Filled:
    """A student's file as it is run: with the library's bodies where its neighbours are left out."""
    return filled(source, live_source(exercise), [target for other in neighbours(exercise) for target in other.targets])
