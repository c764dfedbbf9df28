"""What students are given: every file that `start` and `release` write. Python reads it, and no answer stands in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lessons.exercises.assignment import Assignment
from lessons.exercises.exercise import Exercise
from lessons.exercises.source import attempted
from lessons.exercises.stub import neighbours
from lessons.exercises.student.files import read_submission
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.teacher.release import release_students


def written(exercises: Sequence[Exercise], folder: Path) -> Iterator[tuple[Exercise, Path]]:
    """Every exercise with each of its files."""
    release_students(folder / "released", Assignment(exercises))
    for book in (Workbook(folder / "workbook"), Workbook(folder / "released" / "workbook")):
        for exercise in exercises:
            book.start(exercise)
            yield exercise, book.path(exercise)


def flaw(exercise: Exercise, path: Path) -> str:
    """What is wrong with a written stub; empty when nothing is."""
    try:
        compile(path.read_bytes(), path.name, "exec")  # from bytes, as Python reads it: a comment may name an encoding
    except SyntaxError as error:
        return f"Python does not read it: {error}"
    text = read_submission(path)
    answered = [other.name for other in [exercise, *neighbours(exercise)] if attempted(text, other.targets)]
    return f"it holds the answer to {', '.join(answered)}" if answered else ""
