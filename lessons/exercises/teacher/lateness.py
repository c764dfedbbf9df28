"""How many days late: from a column of times that the teacher gives, else from the times of a student's files.

Copying, git and some downloads set a file's time anew; then the column is the one to trust.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.teacher.submissions import file_of

DAY = 24 * 60 * 60


def read_times(path: Path) -> dict[str, datetime]:
    """Student → when they handed in, from a table with the columns `student` and `submitted`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table (CSV, UTF-8): {error}") from error
    times: dict[str, datetime] = {}
    for number, row in enumerate(rows, start=2):
        student, submitted = row.get("student"), row.get("submitted")
        if not student or not submitted:
            raise ValueError(f"{path}, line {number}: a column `student` and a column `submitted` are wanted")
        try:
            times[student.strip()] = datetime.fromisoformat(submitted.strip()).astimezone()
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {submitted!r} is no time like 2026-11-30 23:59") from error
    return times


def days_late(
    students: Mapping[str, Path], exercises: Sequence[Exercise], deadline: datetime, times: Mapping[str, datetime]
) -> dict[str, str]:
    """Begun days after the deadline; empty for who has handed nothing in. Raises ValueError for a name nobody has."""
    if unknown := sorted(set(times) - set(students)):
        raise ValueError(f"{', '.join(unknown)}: no student is called so; there are {', '.join(students)}")
    late: dict[str, str] = {}
    for student, place in students.items():
        when = times[student].timestamp() if student in times else last_saved(place, exercises)
        late[student] = "" if when is None else str(max(0, math.ceil((when - deadline.timestamp()) / DAY)))
    return late


def last_saved(place: Path, exercises: Sequence[Exercise]) -> float | None:
    found: list[float] = []
    for exercise in exercises:
        try:
            if file := file_of(place, exercise):
                found.append(file.stat().st_mtime)
        except (UnreadableSourceError, OSError):
            continue  # what is not read says nothing of time
    return max(found, default=None)
