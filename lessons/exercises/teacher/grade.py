"""Grading a class: all exercises of all students, in parallel. What one submission does never stops the others."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.files import read_submission
from lessons.exercises.teacher.partial import Judge
from lessons.exercises.teacher.submissions import file_of
from lessons.task.cores import cores

STRICT = Strictness(test_seconds=20.0, probe_seconds=12.0, questions=5)


@dataclass(frozen=True)
class Grade:
    """One exercise of one student."""

    student: str
    exercise: Exercise
    result: Result
    weight: float = 1.0
    confirmed: Sequence[str] = ()

    @property
    def points(self) -> float | None:
        """All or nothing, but for the functions that the judge has confirmed (partial.py).

        How many tests a failed file passed is known from the file's own process only, and earns nothing.
        None for what could not be graded, which is nobody's fault and no zero.
        """
        if self.result.status == NOT_GRADED:
            return None
        share = 1.0 if self.result.status == PASSED else len(self.confirmed) / len(self.exercise.targets)
        return round(self.exercise.worth * share, 2)


def total(grades: Sequence[Grade]) -> float | None:
    """The weighted sum. None as long as something is not graded."""
    points = [grade.points for grade in grades]
    counted = [grade.weight * each for grade, each in zip(grades, points, strict=True) if each is not None]
    return None if None in points else round(sum(counted), 2)


def possible(grades: Sequence[Grade]) -> float:
    return round(sum(grade.weight * grade.exercise.worth for grade in grades), 2)


@dataclass(frozen=True)
class Rules:
    """How a class is graded: the weights that are not 1, partial credit, and whose work is refused, with the reason."""

    weights: Mapping[str, float] = field(default_factory=dict)
    partial: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)


def grades_of(
    students: Mapping[str, Path],
    exercises: Sequence[Exercise],
    workers: int = 0,
    only_behind_wall: bool = True,
    rules: Rules | None = None,
) -> Iterator[list[Grade]]:
    """The grades of one student after another, each as soon as they are there.

    What could not be graded is tried once more when nothing else runs, so its student comes last.
    """
    grader, rules = Grader(replace(STRICT, only_behind_wall=only_behind_wall), many=True), rules or Rules()
    judge = Judge(grader)

    def one(student: str, exercise: Exercise) -> Grade:
        if student in rules.refused:
            result = Result(exercise.name, FAILED, rules.refused[student])
        else:
            result = graded(grader, exercise, students[student])
        asked = rules.partial and result.status == FAILED and student not in rules.refused
        confirmed = partly(judge, exercise, students[student]) if asked else []
        if confirmed:
            share = f"{len(confirmed)} of {len(exercise.targets)} functions: {', '.join(confirmed)}"
            result = replace(result, message=f"{result.message}\nthe judge confirms {share}")
        return Grade(student, exercise, result, rules.weights.get(exercise.name, 1.0), confirmed)

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
        file = file_of(place, exercise)
        if file is None:
            return Result(exercise.name, NOT_ATTEMPTED, f"there is no {exercise.file_name}")
        return grader.check(exercise, read_submission(file))
    except UnreadableSourceError as problem:
        return Result(exercise.name, FAILED, str(problem))
    except Exception as error:  # a fault of ours or of the disk must not cost the other students their grades
        return Result(exercise.name, NOT_GRADED, f"{type(error).__name__}: {error}")


def partly(judge: Judge, exercise: Exercise, place: Path) -> list[str]:
    """The functions that the judge confirms in a file that has failed."""
    try:
        file = file_of(place, exercise)
        return judge.confirmed(exercise, read_submission(file)) if file else []
    except (UnreadableSourceError, OSError):
        return []
