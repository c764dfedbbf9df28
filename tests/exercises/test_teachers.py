"""A teacher's day: release, three submissions (right, wrong, hostile), grades."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from lessons.exercises.teacher import commands as teachers

ROOT = Path(__file__).resolve().parents[2]
LIVE = ROOT / "transformer" / "add_norm.py"


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    live = LIVE.read_text(encoding="utf-8")
    submissions = {
        "ada": live,
        "grace": live.replace("centered.square().mean", "centered.abs().mean"),
        "eve": f"import os\nos._exit(0)\n{live}",
    }
    for student, text in submissions.items():
        file = folder / "submissions" / student / "workbook" / "layer_norm.py"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    arguments = [str(folder / "submissions"), "--out", str(folder / "grades"), "--exercises", "layer_norm"]
    assert teachers.grade(arguments) == 0
    return folder / "grades"


def test_only_the_right_submission_gets_its_points(grades: Path) -> None:
    rows = {row["student"]: row for row in csv.DictReader((grades / "grades.csv").open(encoding="utf-8"))}
    assert {student: row["total"] == row["of"] for student, row in rows.items()} == {
        "ada": True,
        "grace": False,
        "eve": False,
    }
    assert rows["grace"]["total"] == rows["eve"]["total"] == "0"


def test_gradescope_can_read_every_students_result(grades: Path) -> None:
    (ada,) = json.loads((grades / "ada" / "results.json").read_text())["tests"]
    assert ada["score"] == ada["max_score"] > 0
    (eve,) = json.loads((grades / "eve" / "results.json").read_text())["tests"]
    assert eve["score"] == 0


def test_a_release_holds_stubs_and_no_solution(tmp_path: Path) -> None:
    assert teachers.release([str(tmp_path / "students"), "--exercises", "layer_norm"]) == 0
    files = {path.name: path for path in (tmp_path / "students").rglob("*") if path.is_file()}
    assert {"README.md", "layer_norm.py", "test_layer_norm.py"} <= set(files)
    assert "raise NotImplementedError" in files["layer_norm.py"].read_text()
    assert not any("centered * torch.rsqrt" in path.read_text(errors="ignore") for path in files.values())


def test_an_exercise_that_does_not_exist_is_told_with_its_neighbours() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lessons", "check", "lora_linear"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 3
    assert "did you mean lora?" in run.stdout
    assert "Traceback" not in run.stderr
