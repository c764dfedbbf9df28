"""A teacher's day: release, submissions (right, wrong, hostile, with hostile names), grades."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lessons.exercises.source import LIBRARY
from lessons.exercises.teacher import commands
from lessons.exercises.teacher.submissions import submissions
from lessons.exercises.teacher.tables import cell

LIVE = LIBRARY / "transformer" / "add_norm.py"
FORMULA = "=cmd|'/c calc'!A1"


def hand_in(folder: Path, student: str, text: str) -> None:
    file = folder / student / "workbook" / "layer_norm.py"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    live = LIVE.read_text(encoding="utf-8")
    texts = {
        "ada": live,
        "grace": live.replace("centered.square().mean", "centered.abs().mean"),
        "eve": f"import os\nos._exit(0)\n{live}",
        "half a character": f"raise ValueError('\\ud800 \\x1b[31m')\n{live}",
        "a formula": f"raise ValueError({FORMULA!r})\n{live}",
        FORMULA.replace("/", ":"): live,
        "grades.csv": live,
        "details.csv": live,
        os.fsdecode(b"\xff"): live,
    }
    for student, text in texts.items():
        hand_in(folder / "submissions", student, text)
    (folder / "submissions" / "deep" / "/".join("d" * 300)).mkdir(parents=True)
    arguments = [str(folder / "submissions"), "--out", str(folder / "grades"), "--exercises", "layer_norm"]
    arguments += ["--unprotected"]  # here nothing does harm, and every system should run this
    assert commands.grade(arguments) == 0
    return folder / "grades"


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_only_right_submissions_get_their_points_whatever_the_others_say_or_are_called(grades: Path) -> None:
    rows = rows_of(grades / "grades.csv")
    assert {student for student, row in rows.items() if row["total"] == row["of"]} == {
        "ada",
        "'" + FORMULA.replace("/", ":"),
        "grades.csv",
        "details.csv",
        "?",
    }
    assert {row["total"] for student, row in rows.items() if row["total"] != row["of"]} == {"0"}
    assert {"grace", "eve", "half a character", "a formula", "deep"} <= set(rows)


def test_no_cell_is_a_formula(grades: Path) -> None:
    for table in ("grades.csv", "details.csv"):
        with (grades / table).open(encoding="utf-8", newline="") as file:
            assert not [text for row in csv.reader(file) for text in row if text.lstrip().startswith(tuple("=+-@"))]
    assert "calc" in rows_of(grades / "details.csv")["a formula"]["message"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", " =1", "\t=1", "\r=1", "\n=1", "\tx", "\rx"])
def test_what_a_spreadsheet_takes_for_a_formula_is_marked(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_gradescope_can_read_every_students_result(grades: Path) -> None:
    students = grades / "students"
    (ada,) = json.loads((students / "ada" / "results.json").read_text())["tests"]
    assert ada["score"] == ada["max_score"] > 0
    for student in ("eve", "half a character"):
        (theirs,) = json.loads((students / student / "results.json").read_text())["tests"]
        assert theirs["score"] == 0
    assert {path.name for path in grades.iterdir()} == {"grades.csv", "details.csv", "statistics.csv", "students"}


def test_a_students_result_that_cannot_be_written_is_not_the_others_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for student in ("ada", "grace"):
        hand_in(tmp_path / "submissions", student, "")
    (tmp_path / "grades" / "students").mkdir(parents=True)
    (tmp_path / "grades" / "students" / "ada").write_text("a file is in the way")
    arguments = [str(tmp_path / "submissions"), "--out", str(tmp_path / "grades"), "--exercises", "layer_norm"]
    arguments += ["--unprotected"]

    assert commands.grade(arguments) == 3

    assert "ada: the result cannot be written" in capsys.readouterr().out
    assert (tmp_path / "grades" / "students" / "grace" / "results.json").is_file()
    assert set(rows_of(tmp_path / "grades" / "grades.csv")) == {"ada", "grace"}


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["...py"], r"'\.\.'"),
        ([".py"], "no submissions"),
        (["ada.py", "ada/layer_norm.py"], "two are called ada"),
        (["Ada.py", "ada.py"], "two are called ada"),
        (["ad\x07a.py", "ada.py"], "two are called ada"),
        (["\x07.py"], "''"),
    ],
)
def test_a_name_that_is_nobodys_is_refused_before_anything_is_graded(
    tmp_path: Path, names: list[str], says: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")

    with pytest.raises(ValueError, match=says):
        submissions(tmp_path, alone=False, one_exercise=True)


def test_a_release_holds_stubs_and_no_solution(tmp_path: Path) -> None:
    assert commands.release([str(tmp_path / "students"), "--exercises", "layer_norm", "--no-wheel"]) == 0
    files = {path.name: path for path in (tmp_path / "students").rglob("*") if path.is_file()}
    assert {"README.md", "layer_norm.py", "test_layer_norm.py"} <= set(files)
    assert "raise NotImplementedError" in files["layer_norm.py"].read_text()
    assert not any("centered * torch.rsqrt" in path.read_text(errors="ignore") for path in files.values())


def test_an_exercise_that_does_not_exist_is_told_with_its_neighbours() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "lessons", "check", "lora_linear"], cwd=LIBRARY, capture_output=True, text=True
    )
    assert run.returncode == 3
    assert "did you mean lora?" in run.stdout
    assert "Traceback" not in run.stderr
