"""For teachers: what students get, and what a grading service is given.

    students/         README.md, requirements.txt, the wheel, workbook/ with the stubs, tests/ with what grades them,
                      exercises.csv, exercises.toml (what is asked; in an exam there are no tests)
    autograder.zip    setup.sh, run_autograder, exercises.toml and the library with its tests, to be uploaded to Gradescope

The library is no part of the students' folder: it is installed as a dependency.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from lessons.exercises.assignment import FILE, Assignment, as_toml
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading import tree
from lessons.exercises.student.files import write_whole
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.teacher import release_texts as texts
from lessons.exercises.teacher.wheel import copy_library

DISTRIBUTION = "finetune-by-hand"
EXTRA = "[grading]"
"""With it a check runs behind the wall, on a student's own machine too."""


def release_students(folder: Path, asked: Assignment, wheel: Path | None = None) -> None:
    """Writes the students' repository into an empty folder."""
    tests = tree.tests_folder()  # before anything is written
    must_be_empty(folder)
    write_whole(folder / FILE, as_toml(asked))
    book = Workbook(folder / "workbook")
    for exercise in asked.exercises:
        book.start(exercise)
    if not asked.exam:
        copy_graders(tests, folder, asked.exercises)
    requirement = requirement_line()
    if wheel is not None:
        shutil.copy(wheel, folder)
        requirement = f"./{wheel.name}{EXTRA}"
    write_whole(folder / "requirements.txt", requirement + "\n")
    write_whole(folder / "exercises.csv", table_of(asked))
    readme = texts.EXAM_README if asked.exam else texts.STUDENTS_README
    many = len(asked.exercises)
    until = f", until {asked.deadline:%Y-%m-%d %H:%M} {asked.deadline.tzname()}" if asked.deadline else ""
    filled = {
        "TITLE": asked.title,
        "FIRST": asked.exercises[0].name,
        "COUNT": "1 exercise" if many == 1 else f"{many} exercises",
        "UNTIL": until,
    }
    for word, text in filled.items():
        readme = readme.replace(word, text)
    write_whole(folder / "README.md", readme)
    write_whole(folder / ".gitignore", "__pycache__/\n.venv/\n")


def copy_graders(tests: Path, folder: Path, exercises: Sequence[Exercise]) -> None:
    """The tests of these exercises, and what they import."""
    tree.copy_tests(tests, folder / "tests", [test for exercise in exercises for test in exercise.tests])
    wanted = {Path(test).name for exercise in exercises for test in exercise.tests}
    for grader in (folder / "tests/exercises/graders").glob("test_*.py"):
        if grader.name not in wanted:
            grader.unlink()


def release_autograder(archive: Path, asked: Assignment) -> None:
    """Writes the zip file that Gradescope takes. It needs a checkout: a wheel has no tests."""
    must_be_new_zip(archive)
    tests = tree.tests_folder()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autograder-") as scratch:
        folder = Path(scratch) / "autograder"
        copy_library(folder / "library")
        shutil.copytree(tests, folder / "library" / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        write_whole(folder / FILE, as_toml(asked))
        for name, text in (("setup.sh", texts.SETUP), ("run_autograder", texts.RUN_AUTOGRADER)):
            write_whole(folder / name, text)
            (folder / name).chmod(0o755)
        made = shutil.make_archive(str(Path(scratch) / "made"), "zip", folder)
        shutil.move(made, archive)


def must_be_new_zip(archive: Path) -> None:
    if archive.suffix != ".zip":
        raise ValueError(f"{archive} is to be uploaded as a zip file: name it {archive.name}.zip")
    if archive.exists():
        raise ValueError(f"{archive} is there already: name a new file, so that nothing is overwritten")


def must_be_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: name a new folder, so that nothing is overwritten")
    folder.mkdir(parents=True, exist_ok=True)


def requirement_line() -> str:
    """The installed version, or any where the library runs from a checkout without being installed."""
    try:
        return f"{DISTRIBUTION}{EXTRA}=={metadata.version(DISTRIBUTION)}"
    except metadata.PackageNotFoundError:
        return f"{DISTRIBUTION}{EXTRA}"


def table_of(asked: Assignment) -> str:
    """The exercises with their points and how often these count, for a course page or a spreadsheet."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["lesson", "lesson title", "exercise", "title", "difficulty", "minutes", "points", "weight"])
    for each in asked.exercises:
        counts = [each.difficulty, each.minutes, each.worth, asked.weights.get(each.name, 1)]
        rows.writerow([each.lesson, LESSONS[each.lesson], each.name, each.title, *counts])
    return text.getvalue()
