"""For teachers: what students get, and what a grading service is given.

    students/     README.md, requirements.txt, workbook/ with the stubs, tests/ with what grades them, exercises.csv
    autograder/   setup.sh, run_autograder and the library with its tests, to be zipped and uploaded to Gradescope

The library is no part of the students' folder: it is installed as a dependency.
"""

import csv
import io
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading import tree
from lessons.exercises.source import LIBRARY
from lessons.exercises.student.workbook import Workbook, write_whole
from lessons.exercises.teacher import release_texts as texts

DISTRIBUTION = "finetune-by-hand"
EXTRA = "[grading]"
"""With it a check runs behind the wall, on a student's own machine too."""

BESIDE_PACKAGES = ("setup.cfg", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")


def release_students(folder: Path, exercises: Sequence[Exercise], wheel: Path | None = None) -> None:
    """Writes the students' repository into an empty folder."""
    must_be_empty(folder)
    book = Workbook(folder / "workbook")
    for exercise in exercises:
        book.start(exercise)
    tree.copy_tests(tree.tests_folder(), folder / "tests", [test for exercise in exercises for test in exercise.tests])
    wanted = {Path(test).name for exercise in exercises for test in exercise.tests}
    for grader in (folder / "tests/exercises/graders").glob("test_*.py"):
        if grader.name not in wanted:
            grader.unlink()
    requirement = requirement_line()
    if wheel is not None:
        shutil.copy(wheel, folder)
        requirement = f"./{wheel.name}{EXTRA}"
    write_whole(folder / "requirements.txt", requirement + "\n")
    write_whole(folder / "exercises.csv", table_of(exercises))
    write_whole(
        folder / "README.md",
        texts.STUDENTS_README.replace("FIRST", exercises[0].name).replace("COUNT", str(len(exercises))),
    )
    write_whole(folder / ".gitignore", "__pycache__/\n.venv/\n")


def release_autograder(folder: Path, exercises: Sequence[Exercise]) -> None:
    """Writes the folder that Gradescope takes as a zip. It needs a checkout: a wheel has no tests."""
    must_be_empty(folder)
    origin = tree.tests_folder().parent
    for package in (*tree.PACKAGES, "lessons", "tests"):
        root = origin if package == "tests" else LIBRARY
        shutil.copytree(root / package, folder / "library" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE_PACKAGES:
        if (LIBRARY / name).is_file():
            shutil.copy(LIBRARY / name, folder / "library" / name)
    for name, text in (("setup.sh", texts.SETUP), ("run_autograder", texts.RUN_AUTOGRADER)):
        write_whole(folder / name, text.replace("EXERCISES", " ".join(exercise.name for exercise in exercises)))
        (folder / name).chmod(0o755)


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


def table_of(exercises: Sequence[Exercise]) -> str:
    """The exercises with their points, for a course page or a spreadsheet."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["lesson", "lesson title", "exercise", "title", "difficulty", "minutes", "points"])
    for each in exercises:
        rows.writerow(
            [each.lesson, LESSONS[each.lesson], each.name, each.title, each.difficulty, each.minutes, each.worth]
        )
    return text.getvalue()
