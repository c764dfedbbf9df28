"""The exercises at the end of a lesson, from the catalogue."""

from collections.abc import Sequence

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.teaching.said import Rendered, Say, Values, renders, show_said

NONE, NEXT = "This lesson has no exercise.", " The next ones are in lesson {lesson}."
MINUTES, AFTER = "{minutes} minutes", "after {names}"
HERE = "Here in the notebook: {imports}, then {start}."


def exercises_of(lesson: int) -> None:
    """Lists them with difficulty, time and the command that starts each. Raises ValueError for no such lesson."""
    if lesson not in LESSONS:
        raise ValueError(f"there is no lesson {lesson}; there are 1 to {max(LESSONS)}")
    show_said("exercises_of", [], {"lesson": lesson})


@renders("exercises_of")
def rendered_exercises(texts: Sequence[str], values: Values, say: Say) -> Rendered:
    lesson = values["lesson"]
    found = [exercise for exercise in all_exercises().values() if exercise.lesson == lesson]
    if not found:
        later = [exercise.lesson for exercise in all_exercises().values() if exercise.lesson > lesson]
        return Rendered(say(NONE) + (say(NEXT).format(lesson=min(later)) if later else ""))
    minutes = say(MINUTES)
    here = {"imports": "from lessons import check, hint, start", "start": f'start("{found[0].name}")'}
    plain = "\n".join(
        f"{say(each.title)} ({stars(each)}, {minutes.format(minutes=each.minutes)}): {command(each)}" for each in found
    )
    return Rendered(
        f"{plain}\n{say(HERE).format(**here)}",
        "\n".join(
            f"- **{say(each.title)}** · {stars(each)} · {minutes.format(minutes=each.minutes)}{needs(each, say)}  \n"
            f"  `{command(each)}`"
            for each in found
        )
        + "\n\n"
        + say(HERE).format(**{name: f"`{code}`" for name, code in here.items()}),
    )


def stars(exercise: Exercise) -> str:
    return "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)


def command(exercise: Exercise) -> str:
    return f"python -m lessons start {exercise.name}"


def needs(exercise: Exercise, say: Say) -> str:
    names = ", ".join(f"`{name}`" for name in exercise.after)
    return " · " + say(AFTER).format(names=names) if names else ""
