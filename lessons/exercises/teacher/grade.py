"""For teachers: grading a folder of submissions, in parallel. What one submission does never stops the others.

FOLDER/ada/workbook/layer_norm.py     a folder for each student; files are found by the exercises' names
FOLDER/grace/...

OUT/grades.csv               a row for each student, a column for each exercise, the total
OUT/details.csv              a row for each student and exercise, with the message
OUT/ada/results.json         as Gradescope reads it
"""

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.wording import result_text
from lessons.exercises.student.workbook import read_submission, write_whole

STRICT = Strictness(test_seconds=20.0, probe_seconds=12.0, questions=5)


@dataclass(frozen=True)
class Grade:
    """One exercise of one student."""

    student: str
    exercise: Exercise
    result: Result

    @property
    def points(self) -> int:
        """All or nothing: how many tests a failed file passed is known from the file's own process only."""
        return self.exercise.worth if self.result.status == PASSED else 0


def grade_folder(
    students: dict[str, Path],
    exercises: Sequence[Exercise],
    workers: int = 0,
    on_grade: Callable[[Grade], None] | None = None,
) -> list[Grade]:
    """All exercises of all students, in their order."""
    grader = Grader(STRICT)

    def one(pair: tuple[str, Exercise]) -> Grade:
        student, exercise = pair
        grade = Grade(student, exercise, graded(grader, exercise, students[student]))
        if on_grade:
            on_grade(grade)
        return grade

    grader.server.start()
    try:
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            return list(pool.map(one, ((student, exercise) for student in students for exercise in exercises)))
    finally:
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


def find_submission(folder: Path, exercise: Exercise) -> Path | None:
    """The file with the exercise's name, anywhere in the student's folder. Links are not followed: they may lead out."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        if exercise.file_name in names:
            path = Path(parent) / exercise.file_name
            if path.is_symlink() or not path.is_file():
                raise UnreadableSourceError(f"{exercise.file_name} is a link or no file, and is not read")
            return path
    return None


def write_grades(out: Path, grades: Sequence[Grade]) -> None:
    """The two tables, and a results.json for each student."""
    by_student: dict[str, list[Grade]] = {}
    for grade in grades:
        by_student.setdefault(grade.student, []).append(grade)
    exercises = list(dict.fromkeys(grade.exercise.name for grade in grades))
    rows = [["student", *exercises, "total", "of"]]
    for student, mine in by_student.items():
        points = [str(grade.points) for grade in mine]
        total, possible = sum(grade.points for grade in mine), sum(grade.exercise.worth for grade in mine)
        rows.append([student, *points, str(total), str(possible)])
        write_whole(out / student / "results.json", json.dumps(gradescope(mine), indent=2, ensure_ascii=False) + "\n")
    write_table(out / "grades.csv", rows)
    details = [["student", "exercise", "status", "points", "of", "seconds", "message"]]
    for grade in grades:
        numbers = [str(grade.points), str(grade.exercise.worth), f"{grade.result.seconds:.1f}"]
        details.append([grade.student, grade.exercise.name, grade.result.status, *numbers, grade.result.message])
    write_table(out / "details.csv", details)


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """A cell that a spreadsheet would take for a formula is marked as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        for row in rows:
            table.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in row])


def gradescope(grades: Sequence[Grade]) -> dict[str, Any]:
    """What Gradescope reads: one test for each exercise, with its points and what the student should read."""
    tests = [
        {
            "name": f"{grade.exercise.name}: {grade.exercise.title}",
            "score": grade.points,
            "max_score": grade.exercise.worth,
            "status": "passed" if grade.result.status == PASSED else "failed",
            "output": result_text(grade.result),
        }
        for grade in grades
    ]
    return {
        "score": sum(grade.points for grade in grades),
        "execution_time": round(sum(grade.result.seconds for grade in grades)),
        "output": f"{sum(grade.result.status == PASSED for grade in grades)} of {len(grades)} exercises passed",
        "tests": tests,
    }
