"""What is written of a class's grades.

OUT/grades.csv                       a row for each student, a column for each exercise, the total
OUT/details.csv                      a row for each student and exercise, with the message
OUT/statistics.csv                   a row for each exercise (statistics.py)
OUT/moodle.csv, canvas.csv           what a platform imports (platforms.py)
OUT/similarity.csv                   pairs that are alike (similarity.py)
OUT/students/ada/results.json        as Gradescope reads it
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lessons.exercises.grading.result import PASSED
from lessons.exercises.student.files import write_whole
from lessons.exercises.student.wording import result_text
from lessons.exercises.teacher.grade import Grade, possible, total

LONGEST_NAME = 60


def write_student(folder: Path, grades: Sequence[Grade]) -> None:
    """One student's results."""
    write_results(folder / "results.json", grades)


def folder_names(students: Sequence[str]) -> dict[str, str]:
    """Student → the folder for their results: what of the name is letters and numbers, so that no name leads elsewhere."""
    names: dict[str, str] = {}
    for number, student in enumerate(students, start=1):
        name = re.sub(r"[^\w .,()'’-]", "_", student)[:LONGEST_NAME].strip(". ")
        taken = {other.casefold() for other in names.values()}
        names[student] = name if name and name.casefold() not in taken else f"{name} {number}".strip()
    return names


def write_results(path: Path, grades: Sequence[Grade]) -> None:
    write_whole(path, json.dumps(gradescope(grades), indent=2, ensure_ascii=False) + "\n")


def write_tables(out: Path, students: Sequence[Sequence[Grade]], days: Mapping[str, str] | None = None) -> None:
    """The two tables, from the grades of each student.

    `days`   how many each was late, where there is a deadline
    """
    rows = [["student", *(grade.exercise.name for grade in students[0]), "total", "of"]]
    rows[0] += ["days late"] if days else []
    details = [["student", "exercise", "status", "points", "of", "seconds", "message"]]
    for mine in students:
        points = [number(grade.points) for grade in mine]
        late = [days[mine[0].student]] if days else []
        rows.append([mine[0].student, *points, number(total(mine)), number(possible(mine)), *late])
        for grade in mine:
            numbers = [number(grade.points), str(grade.exercise.worth), f"{grade.result.seconds:.1f}"]
            details.append([grade.student, grade.exercise.name, grade.result.status, *numbers, grade.result.message])
    write_table(out / "grades.csv", rows)
    write_table(out / "details.csv", details)


def number(points: float | None) -> str:
    """An empty cell for what could not be graded: a zero would be a verdict."""
    return "" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    write_whole(path, text.getvalue())


def cell(value: str) -> str:
    """A text that a spreadsheet would take for a formula is marked as text. A dash alone is none."""
    formula = value.lstrip().startswith(("=", "+", "-", "@")) and value != "-"
    return f"'{value}" if formula or value.startswith(("\t", "\r")) else value


def weighted(grade: Grade, points: float) -> float:
    """As it counts in the total; a whole number stays one."""
    counts = round(grade.weight * points, 2)
    return int(counts) if counts == int(counts) else counts


def gradescope(grades: Sequence[Grade]) -> dict[str, Any]:
    """What Gradescope reads: one test for each exercise, with its points and what the student should read.

    `regrade` names what could not be graded. It has no score, nor has the whole.
    """
    tests = [
        {
            "name": f"{grade.exercise.name}: {grade.exercise.title}",
            **({} if grade.points is None else {"score": weighted(grade, grade.points)}),
            "max_score": weighted(grade, grade.exercise.worth),
            "status": "passed" if grade.result.status == PASSED else "failed",
            "output": result_text(grade.result),
        }
        for grade in grades
    ]
    regrade = [grade.exercise.name for grade in grades if grade.points is None]
    return {
        **({"regrade": regrade} if regrade else {"score": total(grades)}),
        "execution_time": round(sum(grade.result.seconds for grade in grades)),
        "output": f"{sum(grade.result.status == PASSED for grade in grades)} of {len(grades)} exercises passed",
        "tests": tests,
    }
