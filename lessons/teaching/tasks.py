"""The exercises at the end of a lesson, from the catalogue."""

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.teaching.showing import show


def exercises_of(lesson: int) -> None:
    """Lists them with difficulty, time and the command that starts each. Raises ValueError for no such lesson."""
    if lesson not in LESSONS:
        raise ValueError(f"there is no lesson {lesson}; there are 1 to {max(LESSONS)}")
    found = [exercise for exercise in all_exercises().values() if exercise.lesson == lesson]
    if not found:
        later = [exercise.lesson for exercise in all_exercises().values() if exercise.lesson > lesson]
        show("This lesson has no exercise." + (f" The next ones are in lesson {min(later)}." if later else ""))
        return
    plain = "\n".join(f"{each.title} ({stars(each)}, {each.minutes} minutes): {command(each)}" for each in found)
    show(
        plain,
        "\n".join(
            f"- **{each.title}** · {stars(each)} · {each.minutes} minutes{needs(each)}  \n  `{command(each)}`"
            for each in found
        ),
    )


def stars(exercise: Exercise) -> str:
    return "●" * exercise.difficulty + "○" * (5 - exercise.difficulty)


def command(exercise: Exercise) -> str:
    return f"python -m lessons start {exercise.name}"


def needs(exercise: Exercise) -> str:
    return f" · after {', '.join(f'`{name}`' for name in exercise.after)}" if exercise.after else ""
