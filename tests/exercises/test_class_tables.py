"""The tables of a class: points and weights, days late, what Moodle and Canvas import, statistics, similarity."""

import csv
import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.grading.result import FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.teacher.grade import Grade, possible, total
from lessons.exercises.teacher.lateness import days_late, read_times
from lessons.exercises.teacher.platforms import write_for_platform
from lessons.exercises.teacher.similarity import write_similarity
from lessons.exercises.teacher.statistics import properties, write_statistics
from lessons.exercises.teacher.tables import folder_names, gradescope, write_tables
from tests.exercises.hostile import solution

NORM, NIBBLES = replace(get("layer_norm"), points=20), replace(get("pack_nibbles"), points=15)
DEADLINE = datetime(2026, 11, 30, 23, 59).astimezone()


def grade(student: str, status: str, exercise=NORM, **more) -> Grade:
    return Grade(student, exercise, Result(exercise.name, status, tests=more.pop("tests", [])), **more)


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_weights_count_in_the_total_and_partial_credit_in_the_points() -> None:
    half = NIBBLES.targets[: len(NIBBLES.targets) // 2]
    grades = [grade("ada", PASSED, weight=0.5), grade("ada", FAILED, NIBBLES, confirmed=half)]
    share = 15 * len(half) / len(NIBBLES.targets)
    assert grades[1].points == pytest.approx(share, abs=0.01)
    assert share > 0
    assert total(grades) == pytest.approx(10 + share, abs=0.01)
    assert possible(grades) == 25
    told = gradescope(grades)
    assert [test["max_score"] for test in told["tests"]] == [10, 15]
    assert sum(test["score"] for test in told["tests"]) == told["score"] == total(grades)
    assert total([*grades, grade("ada", NOT_GRADED)]) is None


CLASS = [
    [grade("Ada", PASSED)],
    [grade("=Eve", FAILED)],
    [grade("Bob", NOT_GRADED)],
]
NUMBERS = {"Ada": "12345", "=Eve": "6", "Bob": "7"}


def test_moodle_finds_the_columns_that_its_import_wants(tmp_path: Path) -> None:
    rows = table(write_for_platform("Moodle", tmp_path, CLASS, NUMBERS, "Homework"))
    wanted = ["Identifier", "Grade", "Last modified (grade)"]  # mod/assign/feedback/offline/importgradeslib.php
    assert [rows[0].count(name) for name in wanted] == [1, 1, 1]
    grades = {row[rows[0].index("Identifier")]: row[rows[0].index("Grade")] for row in rows[1:]}
    assert grades == {"Participant 12345": "20", "Participant 6": "0", "Participant 7": ""}
    assert rows[2][1] == "'=Eve"
    assert {row[rows[0].index("Last modified (grade)")] for row in rows[1:]} == {"-"}  # as in Moodle's own worksheets


def test_canvas_finds_the_columns_that_its_import_wants(tmp_path: Path) -> None:
    rows = table(write_for_platform("Canvas", tmp_path, CLASS, NUMBERS, "Homework 2 (4711)"))
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 2 (4711)"]
    assert [row[-1] for row in rows[1:]] == ["20", "20", "0", ""]
    assert rows[1][0].strip() == "Points Possible"
    assert [row[1] for row in rows[2:]] == ["12345", "6", "7"]


def test_days_late_are_begun_days_after_the_deadline(tmp_path: Path) -> None:
    after = {"early": -3600, "just": 1, "a day": 24 * 3600, "two": 24 * 3600 + 1}
    for student, seconds in after.items():
        path = tmp_path / f"{student}.py"
        path.write_text("")
        os.utime(path, (DEADLINE.timestamp() + seconds,) * 2)
    (tmp_path / "nothing").mkdir()
    students = {student: tmp_path / f"{student}.py" for student in after} | {"nothing": tmp_path / "nothing"}
    late = days_late(students, [NORM], DEADLINE, {})
    assert late == {"early": "0", "just": "1", "a day": "1", "two": "2", "nothing": ""}
    given = days_late(students, [NORM], DEADLINE, {"early": DEADLINE + timedelta(days=5)})
    assert given["early"] == "5"
    with pytest.raises(ValueError, match="nobody: no student is called so; there are early"):
        days_late(students, [NORM], DEADLINE, {"nobody": DEADLINE})
    write_tables(tmp_path, [[grade("early", PASSED)]], late)
    assert table(tmp_path / "grades.csv")[0][-1] == "days late"
    assert table(tmp_path / "grades.csv")[1][-1] == "0"


def test_times_are_read_from_a_table(tmp_path: Path) -> None:
    path = tmp_path / "times.csv"
    path.write_text("student,submitted\nAda,2026-12-01 10:00\n")
    assert read_times(path) == {"Ada": datetime(2026, 12, 1, 10).astimezone()}
    for text, says in (("student,when\nAda,1\n", "line 2: .*`submitted`"), ("student,submitted\nAda,soon\n", "'soon'")):
        path.write_text(text)
        with pytest.raises(ValueError, match=says):
            read_times(path)


def test_the_property_that_failed_most_is_named_and_a_forged_one_is_not(tmp_path: Path) -> None:
    first, second = properties(NORM)[:2]

    def broke(*names: str) -> list[dict[str, str]]:
        return [{"name": f"tests/x.py::{name}[3]", "outcome": "failed", "message": "", "where": ""} for name in names]

    grades = [
        grade("a", PASSED),
        grade("b", FAILED, tests=broke(first, second, "test_forged")),
        grade("c", FAILED, tests=broke(second, second, "test_forged")),
        grade("d", FAILED, tests=broke("test_forged")),
        grade("e", NOT_ATTEMPTED),
        grade("f", NOT_GRADED),
    ]
    write_statistics(tmp_path / "statistics.csv", [[each] for each in grades])
    heading, row = table(tmp_path / "statistics.csv")
    told = dict(zip(heading, row, strict=True))
    assert told["property that failed most"] == second.removeprefix("test_").replace("_", " ")
    assert (told["for"], told["pass rate"], told["mean points"], told["students"]) == ("2", "25%", "4", "6")
    write_statistics(tmp_path / "statistics.csv", [[grades[3]]])
    assert table(tmp_path / "statistics.csv")[1][-2:] == ["", ""]


def test_renamed_variables_are_seen_and_another_way_is_not(tmp_path: Path) -> None:
    right = solution()
    renamed = right.replace("centered", "deviation").replace("variance", "spread")
    other = right.replace(
        "centered = x - x.mean(dim=-1, keepdim=True)",
        "mean = x.sum(-1, keepdim=True) / x.shape[-1]\n        if x.ndim < 1:\n            raise ValueError(x)\n"
        "        centered = torch.sub(x, mean)\n        for _ in range(0):\n            print(mean)",
    )
    stub = "class LayerNorm:\n    def forward(self, x):\n        raise NotImplementedError\n"
    texts = {"ada": right, "bob": renamed + "\n# a comment", "eve": other, "sub": stub, "bad": "def ("}
    for student, text in texts.items():
        (tmp_path / f"{student}.py").write_text(text)
    students = {student: tmp_path / f"{student}.py" for student in texts}
    rows = write_similarity(tmp_path / "similarity.csv", students, [NORM], 0.8)
    assert [row[:5] for row in rows] == [["layer_norm", "ada", "bob", "1.00", "1.00"]]
    assert len(table(tmp_path / "similarity.csv")) == 2
    low = write_similarity(tmp_path / "similarity.csv", students, [NORM], 0.01)
    assert {frozenset(row[1:3]) for row in low} == {
        frozenset(pair) for pair in (("ada", "bob"), ("ada", "eve"), ("bob", "eve"))
    }


def test_no_name_of_a_student_is_a_path() -> None:
    students = ["ada", "Fay O'Brien", "../x", "a/b", "a\\b", "..", "C:", "ADA", "x" * 300, "grades.csv", "=1"]
    names = folder_names(students)
    assert (names["ada"], names["Fay O'Brien"]) == ("ada", "Fay O'Brien")
    assert len({name.casefold() for name in names.values()}) == len(students)
    for name in names.values():
        assert name
        assert len(name) <= 70
        assert not set(name) & set("/\\:=")
        assert set(name) != {"."}
