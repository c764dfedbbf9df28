"""What a teacher asks of a class: which exercises, for how many points, until when. It is read from `exercises.toml`:

    title = "Homework 2"                     # the column in Canvas's gradebook
    deadline = 2026-11-30T23:59:00+01:00     # with the time zone, else that of the machine that grades
    partial = true                           # credit for each function that the judge confirms
    exam = false                             # true: no hints, no solutions

    [exercises]
    layer_norm = 20                          # points
    add_norm = {points = 10, weight = 0.5}   # counts half in the total
    dora = {}                                # the points of the catalogue

`release` writes it into the students' folder, and there the commands know these exercises and no others.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lessons.exercises.catalogue import all_exercises, chosen, get
from lessons.exercises.exercise import Exercise

FILE = "exercises.toml"
FIELDS = ("title", "deadline", "partial", "exam", "exercises")
MOST_POINTS = 1000


@dataclass(frozen=True)
class Assignment:
    """`exercises` have the teacher's points; `weights` has those that count otherwise than once in the total."""

    exercises: Sequence[Exercise]
    weights: Mapping[str, float] = field(default_factory=dict)
    title: str = "Exercises"
    deadline: datetime | None = None
    partial: bool = False
    exam: bool = False

    def get(self, name: str) -> Exercise:
        """Raises ValueError for one that does not exist, or that is not asked for here."""
        exercise = get(name)
        for mine in self.exercises:
            if mine.name == name:
                return mine
        names = ", ".join(mine.name for mine in self.exercises)
        raise ValueError(f"{exercise.name} is not among the {len(self.exercises)} exercises of this folder: {names}")


def assignment_beside(workbook: Path) -> Assignment:
    """What the folder that holds the workbook was given out for; all exercises where no teacher has said anything."""
    path = workbook.absolute().parent / FILE
    return read_assignment(path) if path.is_file() else Assignment(list(all_exercises().values()))


def read_assignment(path: Path, names: Sequence[str] | None = None) -> Assignment:
    """The file's assignment; with names, only these of it. Raises ValueError that says what in the file is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        read = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from error
    try:
        found = assignment_of(read)
        return found if names is None else replace(found, exercises=[found.get(name) for name in names])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def assignment_of(read: Mapping[str, Any]) -> Assignment:
    """Raises ValueError for a field, a name or a value that is none."""
    refuse_unknown(read, FIELDS, "the file")
    given: dict[str, Any] = {}
    for name, kind, called in (
        ("title", str, "a text"),
        ("partial", bool, "true or false"),
        ("exam", bool, "true or false"),
    ):
        if name in read:
            if not isinstance(read[name], kind):
                raise ValueError(f"{name} is {called}, not {read[name]!r}")
            given[name] = read[name]
    if "deadline" in read:
        if not isinstance(read["deadline"], datetime):
            raise ValueError(f"deadline is a date with a time, 2026-11-30T23:59:00+01:00, not {read['deadline']!r}")
        given["deadline"] = read["deadline"] if read["deadline"].tzinfo else read["deadline"].astimezone()
    entries = read.get("exercises", {name: {} for name in all_exercises()})
    if not isinstance(entries, dict) or not entries:
        raise ValueError("[exercises] has a line for each exercise, NAME = POINTS")
    if unknown := [name for name in entries if name not in all_exercises()]:
        raise ValueError(f"there is no exercise {', '.join(unknown)}; there are {', '.join(all_exercises())}")
    asked = {name: entry if isinstance(entry, dict) else {"points": entry} for name, entry in entries.items()}
    exercises = [with_points(each, asked[each.name]) for each in all_exercises().values() if each.name in asked]
    weights = {name: weight_of(name, entry["weight"]) for name, entry in asked.items() if "weight" in entry}
    return Assignment(exercises, weights, **given)


def with_points(exercise: Exercise, entry: Mapping[str, Any]) -> Exercise:
    refuse_unknown(entry, ("points", "weight"), exercise.name)
    points = entry.get("points", exercise.worth)
    if isinstance(points, bool) or not isinstance(points, int) or not 1 <= points <= MOST_POINTS:
        raise ValueError(f"{exercise.name}: points are a whole number from 1 to {MOST_POINTS}, not {points!r}")
    return replace(exercise, points=points)


def weight_of(name: str, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= MOST_POINTS:
        raise ValueError(f"{name}: a weight is a number from 0 to {MOST_POINTS}, not {weight!r}")
    return float(weight)


def refuse_unknown(read: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    if unknown := [name for name in read if name not in known]:
        raise ValueError(f"{where} has {', '.join(unknown)}, which means nothing; there are {', '.join(known)}")


def assigned(file: Path | None, names: Sequence[str] | None) -> Assignment:
    """What a command was given: a file, names, or both. Without either, all exercises."""
    return read_assignment(file, names) if file else Assignment(chosen(names))


def as_toml(assignment: Assignment) -> str:
    """The file that reads as this assignment."""
    lines = ["# What is asked of this class. Written by `release`; read by the commands here, and by `grade`."]
    lines += [f"title = {json.dumps(assignment.title)}"]  # both write a text alike
    lines += [f"deadline = {assignment.deadline.isoformat()}"] if assignment.deadline else []
    lines += [f"{name} = true" for name in ("partial", "exam") if getattr(assignment, name)]
    lines += ["", "[exercises]"]
    for each in assignment.exercises:
        weight = assignment.weights.get(each.name)
        lines.append(
            f"{each.name} = " + (str(each.worth) if weight is None else f"{{points = {each.worth}, weight = {weight}}}")
        )
    return "\n".join(lines) + "\n"
