"""`grade` from a download to the tables: every option does something, and what one student hands in is only theirs."""

import csv
import os
import zipfile
from pathlib import Path

import pytest

from lessons.exercises.grading import tree
from lessons.exercises.grading.result import FAILED, PASSED, Result
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.teacher import commands, grade
from tests.exercises.hostile import solution

ASKED = """
title = "Homework 2"
deadline = 2026-11-30T12:00:00
[exercises]
layer_norm = {points = 9, weight = 2}
add_norm = 5
"""
FILE = "_assignsubmission_file_"


def ready_for_many(server: Forkserver) -> None:
    assert server.preloaded


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A download of Moodle. What is in a file is right when it holds the solution; no file is run here."""

    def graded(grader, exercise, place):
        file = place / exercise.file_name
        return Result(exercise.name, PASSED if file.is_file() and "rsqrt" in file.read_text() else FAILED)

    monkeypatch.setattr(grade, "graded", graded)
    monkeypatch.setattr(Forkserver, "start", ready_for_many)
    monkeypatch.chdir(tmp_path)
    Path("homework.toml").write_text(ASKED)
    renamed = solution().replace("centered", "shifted")
    with zipfile.ZipFile("evil.zip", "w") as archive:
        archive.writestr("../../layer_norm.py", solution())
    with zipfile.ZipFile("download.zip", "w") as archive:
        archive.writestr(
            zipfile.ZipInfo(f"Ada Lovelace_12345{FILE}/layer_norm.py", (2026, 11, 30, 11, 0, 0)), solution()
        )
        archive.writestr(zipfile.ZipInfo(f"Grace_7{FILE}/layer_norm.py", (2026, 12, 2, 11, 0, 0)), renamed)
        archive.write("evil.zip", f"../Eve_6{FILE}/x.zip".removeprefix("../"))
    return tmp_path


def rows(name: str) -> dict[str, dict[str, str]]:
    with Path("download-grades", name).open(newline="") as file:
        return {next(iter(row.values())): row for row in csv.DictReader(file)}


def test_a_download_becomes_every_table(course: Path, capsys: pytest.CaptureFixture) -> None:
    assert (
        commands.grade(["download.zip", "--assignment", "homework.toml", "--similarity", "0.9", "--unprotected"]) == 0
    )
    grades = rows("grades.csv")
    assert {name: (row["total"], row["of"], row["days late"]) for name, row in grades.items()} == {
        "Ada Lovelace": ("18", "23", "0"),
        "Grace": ("18", "23", "2"),
        "Eve": ("0", "23", ""),
    }
    assert {name: row["Grade"] for name, row in rows("moodle.csv").items()} == {
        "Participant 12345": "18",
        "Participant 7": "18",
        "Participant 6": "0",
    }
    assert rows("statistics.csv")["layer_norm"]["passed"] == "2"
    assert rows("similarity.csv")["layer_norm"]["alike"] == "1.00"
    assert sorted(os.listdir("download-grades/students")) == ["Ada Lovelace", "Eve", "Grace"]
    with Path("download-grades/details.csv").open(newline="") as file:
        messages = {row["message"] for row in csv.DictReader(file) if row["student"] == "Eve"}
    assert len(messages) == 1
    assert "leads out" in messages.pop()
    assert "moodle.csv" in capsys.readouterr().out


def test_times_of_a_table_count_before_those_of_files(course: Path) -> None:
    Path("times.csv").write_text("student,submitted\nGrace,2026-11-30 10:00\n")
    arguments = ["download.zip", "--submitted", "times.csv", "--unprotected"]
    assert commands.grade([*arguments, "--assignment", "homework.toml"]) == 0
    assert rows("grades.csv")["Grace"]["days late"] == "0"
    with pytest.raises(ValueError, match="needs a deadline"):
        commands.grade(arguments)


def test_without_tests_nothing_is_begun(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "LIBRARY", course)
    with pytest.raises(tree.NoTestsError, match="run from a checkout"):
        commands.grade(["download.zip", "--unprotected"])
    assert not Path("download-grades").exists()


@pytest.mark.parametrize("text", ["2", "0", "much"])
def test_a_share_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="argument --similarity"):
        commands.grade(["x", "--similarity", text])
