"""What is given out: a part of the course, an exam, the wheel, Gradescope's zip file and its scripts, the guide."""

import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from lessons.exercises import catalogue
from lessons.exercises.assignment import Assignment, assignment_of, read_assignment
from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.course import LESSONS
from lessons.exercises.source import LIBRARY, attempted
from lessons.exercises.student import commands as student
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.teacher import commands, wheel
from lessons.exercises.teacher.exam import without_answers
from lessons.exercises.teacher.guide import guide
from lessons.exercises.teacher.release import copy_graders, release_autograder, release_students
from lessons.exercises.teacher.syllabus import WEEKS, syllabus
from tests.exercises.hostile import solution


def asked(*names: str, **more) -> Assignment:
    return Assignment([get(name) for name in names], **more)


def test_a_release_of_some_exercises_knows_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "students"
    assert commands.release([str(folder), "--exercises", "layer_norm", "dora", "--no-wheel"]) == 0
    monkeypatch.chdir(folder)
    assert student.overview([]) == 0
    assert "0 of 2 exercises passed" in capsys.readouterr().out


def test_a_release_begins_with_its_first_exercise_and_goes_on_with_the_one_that_is_worked_on(tmp_path: Path) -> None:
    names = ("layer_norm", "add_norm", "dora", "pack_nibbles")
    release_students(tmp_path / "students", asked(*names))
    book = Workbook(tmp_path / "students" / "workbook")

    def following() -> str:
        exercise = book.next_open()
        assert exercise
        return exercise.name

    assert following() == "layer_norm"
    path = book.path(get("dora"))
    path.write_text(path.read_text().replace("raise NotImplementedError", "return"))
    os.utime(path, (0, 0))  # the others' stubs are newer: a clone writes them all anew
    assert following() == "dora"
    path.write_text("def (")
    assert following() == "dora"


def test_students_read_until_when_and_for_what(tmp_path: Path) -> None:
    given = assignment_of(
        {
            "title": "Homework 2",
            "deadline": datetime.fromisoformat("2026-11-30T23:59:00+01:00"),
            "exercises": {"layer_norm": {"points": 8, "weight": 0.5}},
        }
    )
    for exam in (False, True):
        folder = tmp_path / f"students-{exam}"
        release_students(folder, replace(given, exam=exam))
        readme = (folder / "README.md").read_text()
        assert "until 2026-11-30 23:59 UTC+01:00." in readme
        assert "1 exercise." in readme
        assert not re.search("TITLE|FIRST|COUNT|UNTIL", readme)
        heading, row = (line.split(",") for line in (folder / "exercises.csv").read_text().splitlines())
        assert dict(zip(heading, row, strict=True))["weight"] == "0.5"


def test_an_exam_gives_out_neither_tests_nor_hints(tmp_path: Path) -> None:
    release_students(tmp_path / "exam", asked("layer_norm", exam=True, title="Final exam"))
    assert not (tmp_path / "exam" / "tests").exists()
    stub = (tmp_path / "exam" / "workbook" / "layer_norm.py").read_text()
    assert "is not written yet" in stub
    assert "lessons hint" not in stub
    assert "Final exam" in (tmp_path / "exam" / "README.md").read_text()
    assert read_assignment(tmp_path / "exam" / "exercises.toml").exam
    (tmp_path / "exam.toml").write_text("exam = true\n[exercises]\nlayer_norm = 5")
    with pytest.raises(ValueError, match="leave out --no-wheel"):
        commands.release([str(tmp_path / "other"), "--assignment", str(tmp_path / "exam.toml"), "--no-wheel"])


@pytest.mark.slow
def test_the_library_of_an_exam_holds_no_answer_and_still_starts(tmp_path: Path) -> None:
    exercises = [get(name) for name in ("layer_norm", "lora", "gae", "scaled_dot_product_attention")]
    for package in ("transformer", "peft", "rlhf", "quant"):
        shutil.copytree(LIBRARY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        LIBRARY / "lessons",
        tmp_path / "lessons",
        ignore=shutil.ignore_patterns("__pycache__", "data", "base", "adapters", "*.ipynb", "results"),
    )
    without_answers(tmp_path, exercises)
    for exercise in exercises:
        module = tmp_path.joinpath(*exercise.module.split(".")).with_suffix(".py")
        assert not attempted(module.read_text(), exercise.targets)
    assert not list(tmp_path.glob("lessons/[0-9]*.py"))
    texts = "".join(path.read_text("utf-8").replace('"\n"', "") for path in tmp_path.glob("lessons/**/*.[pj][yso]"))
    assert "layer_norm" in texts
    assert not [hint for each in exercises for hint in each.hints if hint.replace('"', '\\"') in texts]
    assert "让每个向量均值为 0，方差为 1" in texts  # a title stays
    assert "均值和方差沿最后一个轴计算" not in texts  # a hint in Chinese
    assert "layerNorm" not in texts  # the model in JavaScript
    code = (
        "import transformer, peft, rlhf, quant\nfrom lessons.exercises.catalogue import all_exercises\n"
        "print(sum(len(e.wrong) for e in all_exercises().values()), {e.hints for e in all_exercises().values()})"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "0 {('This is an exam.', 'There are no hints.')}", run.stderr[-500:]


def test_from_an_installed_library_it_is_said_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "LIBRARY", tmp_path)
    with pytest.raises(ValueError, match=r"--wheel FILE.*--no-wheel"):
        wheel.build_wheel(tmp_path)


@pytest.mark.slow
def test_the_wheel_is_built_and_given_out(tmp_path: Path) -> None:
    before = set(LIBRARY.iterdir())
    assert commands.release([str(tmp_path / "students"), "--exercises", "layer_norm"]) == 0
    (built,) = (tmp_path / "students").glob("*.whl")
    assert (tmp_path / "students" / "requirements.txt").read_text() == f"./{built.name}[grading]\n"
    with zipfile.ZipFile(built) as archive:
        assert {"transformer/add_norm.py", "lessons/exercises/assignment.py"} <= set(archive.namelist())
    assert set(LIBRARY.iterdir()) == before


@pytest.fixture(scope="module")
def autograder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip file, unpacked where Gradescope would: /autograder/source, and run_autograder beside it."""
    root = tmp_path_factory.mktemp("gradescope")
    given = assignment_of({"exercises": {"layer_norm": {"points": 8, "weight": 0.5}}})
    release_autograder(root / "autograder.zip", given)
    shutil.unpack_archive(root / "autograder.zip", root / "source")
    for name in ("setup.sh", "run_autograder"):
        text = (root / "source" / name).read_text().replace("/autograder", str(root))
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    return root


def test_the_zip_file_holds_what_its_scripts_name(autograder: Path) -> None:
    with zipfile.ZipFile(autograder / "autograder.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes["setup.sh"] & modes["run_autograder"] & 0o111
    scripts = (autograder / "setup.sh").read_text() + (autograder / "run_autograder").read_text()
    for place in re.findall(rf"{autograder}/source/[\w./]+", scripts):
        assert Path(place).exists(), place
    for name in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", autograder / name], check=True)


def test_setup_installs_a_python_that_is_new_enough_and_torch_for_processors(autograder: Path, tmp_path: Path) -> None:
    log, tools = tmp_path / "log", tmp_path / "tools"
    tools.mkdir()
    note = f'#!/bin/bash\necho "${{0##*/}} $*" >> {log}\n'
    makes = 'if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/uv"; fi\n'
    makes += 'if [ "${0##*/} $1" = "uv venv" ]; then mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; fi\n'
    for name in ("apt-get", "python3"):
        (tools / name).write_text(note + makes)
        (tools / name).chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    subprocess.run(["bash", autograder / "setup.sh"], env={"PATH": path}, check=True, cwd=tmp_path)
    said = log.read_text().splitlines()
    assert f"uv venv --python 3.11 {autograder}/environment" in said
    (install,) = [line for line in said if line.startswith("uv pip install")]
    assert "--torch-backend cpu" in install
    assert f"{autograder}/source/library[grading]" in install
    assert said[-1] == "python -m lessons help"
    shutil.rmtree(autograder / "environment")


@pytest.mark.slow
def test_gradescope_gets_a_result_for_a_submission(autograder: Path) -> None:
    python = autograder / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (autograder / "submission").mkdir()
    (autograder / "submission" / "layer_norm.py").write_text(solution())
    run = subprocess.run(["bash", autograder / "run_autograder"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (only,) = json.loads((autograder / "results" / "results.json").read_text())["tests"]
    assert (only["score"], only["max_score"]) == (4, 4)


def test_the_autograder_is_a_new_zip_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name it folder\.zip"):
        release_autograder(tmp_path / "folder", asked("layer_norm"))
    (tmp_path / "a.zip").write_text("")
    with pytest.raises(ValueError, match="there already"):
        commands.release([str(tmp_path / "students"), "--autograder", str(tmp_path / "a.zip")])
    assert not (tmp_path / "students").exists()


def test_twelve_weeks_hold_every_lesson_and_every_exercise_once() -> None:
    weeks = syllabus()
    assert [week.number for week in weeks] == list(range(1, 13))
    assert {lesson for week in weeks for lesson in week.lessons} == set(LESSONS)
    assert sorted(each.name for week in weeks for each in week.exercises) == sorted(all_exercises())
    assert " ".join(files for _, files in WEEKS).split() == catalogue.FILES
    assert [lesson for week in weeks for lesson in week.lessons] == list(LESSONS)
    assert [min(week.lessons) for week in weeks] == sorted(min(week.lessons) for week in weeks)


def test_the_guide_tells_every_exercises_mistakes_with_their_messages(tmp_path: Path) -> None:
    assert commands.guide(["--out", str(tmp_path / "guide.md")]) == 0
    text = (tmp_path / "guide.md").read_text()
    assert text == guide()
    for exercise in all_exercises().values():
        part = text.partition(f"### {exercise.name}: ")[2].partition("\n### ")[0]
        assert part.count("  → “") == len(exercise.wrong)
        assert all(hint in part for hint in exercise.hints)
        assert all(" ".join(wrong.message.split()) in part for wrong in exercise.wrong)


@pytest.mark.slow
def test_the_guides_example_is_read_and_its_options_exist() -> None:
    text = guide()
    found = assignment_of(tomllib.loads(text.partition("```toml\n")[2].partition("```")[0]))
    assert [each.name for each in found.exercises] == ["layer_norm", "add_norm", "dora"]
    named = set(re.findall(r"--[a-z]+[a-z-]*", text.partition("## A syllabus")[0]))
    for command in (commands.release, commands.grade, commands.guide):
        run = subprocess.run(
            [sys.executable, "-m", "lessons", command.__name__, "--help"], capture_output=True, text=True, cwd=LIBRARY
        )
        named -= set(re.findall(r"--[a-z-]+", run.stdout))
    assert not named


def test_what_python_has_compiled_here_is_not_given_out(tmp_path: Path) -> None:
    exercise = get("layer_norm")
    py_compile.compile(str(LIBRARY / exercise.tests[0]), doraise=True)

    copy_graders(LIBRARY / "tests", tmp_path, [exercise])

    assert (tmp_path / exercise.tests[0]).is_file()
    assert not list(tmp_path.rglob("*.pyc"))
