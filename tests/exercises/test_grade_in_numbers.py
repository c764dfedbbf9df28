"""Many submissions on few cores: nobody's points depend on how busy the machine is."""

import csv
import json
import os
from pathlib import Path

import pytest

from lessons.exercises.grading.result import NOT_GRADED, PASSED, Result
from lessons.exercises.grading.sandbox import trial
from lessons.exercises.teacher import commands, grade
from lessons.task import cores
from tests.exercises.hostile import EXERCISE, solution

needs_wall = pytest.mark.skipif(bool(trial.problem()), reason="there is no wall on this system")
RIGHT = solution()
WRONG = RIGHT.replace("centered.square().mean", "centered.abs().mean")


def hand_in(folder: Path, count: int) -> dict[str, Path]:
    """Every other one is right."""
    folder.mkdir()
    students = {f"student-{number}": folder / f"student-{number}.py" for number in range(count)}
    for number, path in enumerate(students.values()):
        path.write_text(WRONG if number % 2 else RIGHT, encoding="utf-8")
    return students


@pytest.mark.slow
@needs_wall
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not tie a process to a core")
def test_many_workers_on_one_core_give_the_points_of_one(tmp_path: Path) -> None:
    students = hand_in(tmp_path / "class", 8)
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        points = {mine[0].student: mine[0].points for mine in grade.grades_of(students, [EXERCISE], workers=8)}
    finally:
        os.sched_setaffinity(0, allowed)

    assert points == {name: 0 if number % 2 else EXERCISE.worth for number, name in enumerate(students)}


def graded_at_the(times: int, count: dict[str, int]):
    """A grader that cannot grade student-0 before it has been asked so many times."""

    def graded(grader, exercise, place):
        count[place.stem] = count.get(place.stem, 0) + 1
        return Result(exercise.name, PASSED if place.stem != "student-0" or count[place.stem] >= times else NOT_GRADED)

    return graded


@pytest.mark.slow
@needs_wall
def test_what_could_not_be_graded_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count: dict[str, int] = {}
    monkeypatch.setattr(grade, "graded", graded_at_the(2, count))
    hand_in(tmp_path / "class", 3)

    assert commands.grade([str(tmp_path / "class"), "--exercises", "layer_norm"]) == 0

    assert count == {"student-0": 2, "student-1": 1, "student-2": 1}
    with (tmp_path / "class-grades" / "grades.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == ["student-0", "student-1", "student-2"]
    assert rows[1][1] == str(EXERCISE.worth)


@needs_wall
def test_what_cannot_be_graded_is_an_empty_cell_and_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grade, "graded", graded_at_the(3, {}))
    hand_in(tmp_path / "class", 2)

    assert commands.grade([str(tmp_path / "class"), "--exercises", "layer_norm"]) == 3

    with (tmp_path / "class-grades" / "grades.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [
            ["student-0", "", "", str(EXERCISE.worth)],
            ["student-1", str(EXERCISE.worth), str(EXERCISE.worth), str(EXERCISE.worth)],
        ]
    theirs = json.loads((tmp_path / "class-grades" / "students" / "student-0" / "results.json").read_text())
    assert theirs["regrade"] == ["layer_norm"]
    assert "score" not in theirs
    assert "score" not in theirs["tests"][0]


@pytest.mark.parametrize(("text", "fills"), [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5)])
def test_a_containers_quota_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fills: float) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(cores, "groups", lambda root: [root])

    assert cores.quota(tmp_path) == (fills or cores.quota(tmp_path / "nothing"))


def test_the_older_interface_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text("200000\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    monkeypatch.setattr(cores, "groups", lambda root: [root])

    assert cores.quota(tmp_path) == 2.0


def test_there_is_always_a_core() -> None:
    assert 1 <= cores.cores() <= (os.cpu_count() or 1)
    assert all(path.is_relative_to(cores.CGROUPS) for path in cores.groups(cores.CGROUPS))
