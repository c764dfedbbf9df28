"""Grading a class: all exercises of all students, in parallel. What one submission does never stops the others."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.workbook import read_submission
from lessons.exercises.teacher.submissions import find_submission
from lessons.task.cores import cores

STRICT = Strictness(test_seconds=20.0, probe_seconds=12.0, questions=5)


@dataclass(frozen=True)
class Grade:
    """One exercise of one student."""

    student: str
    exercise: Exercise
    result: Result

    @property
    def points(self) -> int | None:
        """All or nothing: how many tests a failed file passed is known from the file's own process only.

        None for what could not be graded, which is nobody's fault and no zero.
        """
        if self.result.status == NOT_GRADED:
            return None
        return self.exercise.worth if self.result.status == PASSED else 0


def total(grades: Sequence[Grade]) -> int | None:
    """None as long as something is not graded."""
    points = [grade.points for grade in grades]
    return None if None in points else sum(each for each in points if each is not None)


def grades_of(
    students: Mapping[str, Path], exercises: Sequence[Exercise], workers: int = 0, only_behind_wall: bool = True
) -> Iterator[list[Grade]]:
    """The grades of one student after another, each as soon as they are there.

    What could not be graded is tried once more when nothing else runs, so its student comes last.
    """
    grader = Grader(replace(STRICT, only_behind_wall=only_behind_wall))

    def one(student: str, exercise: Exercise) -> Grade:
        return Grade(student, exercise, graded(grader, exercise, students[student]))

    grader.server.start()
    pool = ThreadPoolExecutor(workers or cores())
    again: list[list[Grade]] = []
    try:
        waiting = {student: [pool.submit(one, student, exercise) for exercise in exercises] for student in students}
        for student in students:
            mine = [grade.result() for grade in waiting.pop(student)]
            if total(mine) is None:
                again.append(mine)
            else:
                yield mine
        for mine in again:
            yield [one(grade.student, grade.exercise) if grade.points is None else grade for grade in mine]
    finally:
        pool.shutdown(cancel_futures=True)
        grader.server.close()


def graded(grader: Grader, exercise: Exercise, place: Path) -> Result:
    """Whatever happens is a result."""
    try:
        file = place if place.is_file() else find_submission(place, exercise)
        if file is None:
            return Result(exercise.name, NOT_ATTEMPTED, f"there is no {exercise.file_name}")
        return grader.check(exercise, read_submission(file))
    except UnreadableSourceError as problem:
        return Result(exercise.name, FAILED, str(problem))
    except Exception as error:  # a fault of ours or of the disk must not cost the other students their grades
        return Result(exercise.name, NOT_GRADED, f"{type(error).__name__}: {error}")
