"""Tables that Moodle and Canvas import as grades.

moodle.csv   for "Upload grading worksheet"; tick "Allow updating records that have been modified more recently"
canvas.csv   for Gradebook, Import; the column has the assignment's title, with its number in brackets for one that exists
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lessons.exercises.student.wording import MARKS
from lessons.exercises.teacher.grade import Grade, possible, total
from lessons.exercises.teacher.tables import number, write_table

NOT_EXPORTED = "-"
"""In Moodle's own worksheets, a time that there is not."""


def write_for_platform(
    service: str, out: Path, students: Sequence[Sequence[Grade]], numbers: Mapping[str, str], title: str
) -> Path:
    """`numbers`   student → the platform's number for them, which is what it knows them by"""
    write = {"Moodle": moodle_rows, "Canvas": canvas_rows}[service]
    path = out / f"{service.lower()}.csv"
    write_table(path, write(students, numbers, title))
    return path


def moodle_rows(students: Sequence[Sequence[Grade]], numbers: Mapping[str, str], title: str) -> list[list[str]]:
    heading = ["Identifier", "Full name", "Grade", "Maximum grade", "Last modified (grade)", "Feedback comments"]
    rows = [heading]
    for mine in students:
        name = mine[0].student
        points = [number(total(mine)), number(possible(mine)), NOT_EXPORTED, feedback(mine)]
        rows.append([f"Participant {numbers[name]}", name, *points])
    return rows


def canvas_rows(students: Sequence[Sequence[Grade]], numbers: Mapping[str, str], title: str) -> list[list[str]]:
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]]
    rows.append(["    Points Possible", "", "", "", "", number(possible(students[0]))])
    rows += [[mine[0].student, numbers[mine[0].student], "", "", "", number(total(mine))] for mine in students]
    return rows


def feedback(grades: Sequence[Grade]) -> str:
    """One line for each exercise; the messages are in details.csv."""
    return "; ".join(f"{MARKS.get(grade.result.status, '?')} {grade.exercise.name}" for grade in grades)
