"""The commands for teachers: `release` and `grade`."""

import json
from pathlib import Path

from rich.console import Console

from lessons.exercises.catalogue import chosen
from lessons.exercises.grading.result import NOT_GRADED
from lessons.exercises.grading.sandbox.confined import protection
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.wording import MARKS
from lessons.exercises.student.workbook import write_whole
from lessons.exercises.teacher.grade import Grade, grade_folder, gradescope, write_grades
from lessons.exercises.teacher.release import release_autograder, release_students

console = Console(highlight=False, soft_wrap=True)


def release(arguments: list[str]) -> int:
    """Writes the students' repository, and the folder for Gradescope if it is asked for."""
    parser = Arguments("release", "Make the students' repository.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder for the students")
    parser.add_argument("--exercises", nargs="+", metavar="NAME", help="these only (all)")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="the library as a wheel, to be given out with it")
    parser.add_argument("--autograder", type=Path, metavar="DIR", help="write the folder for Gradescope too")
    options = parser.parse_args(arguments)
    exercises = chosen(options.exercises)
    release_students(options.folder, exercises, options.wheel)
    console.print(f"{options.folder}: {len(exercises)} exercises for students", markup=False)
    if options.autograder:
        release_autograder(options.autograder, exercises)
        console.print(f"{options.autograder}: zip what is in it and upload it as the autograder", markup=False)
    return 0


def grade(arguments: list[str]) -> int:
    """Grades a folder of submissions. 3: some of them could not be graded."""
    parser = Arguments("grade", "Grade a folder of submissions: a folder for each student.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the submissions")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the grades go (DIR-grades)")
    parser.add_argument("--exercises", nargs="+", metavar="NAME", help="these only (all)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="how many at a time (the number of cores)")
    parser.add_argument(
        "--gradescope", type=Path, metavar="FILE", help="DIR is one submission: write its results.json here"
    )
    options = parser.parse_args(arguments)
    exercises = chosen(options.exercises)
    students = submissions(options.folder, alone=bool(options.gradescope), one_exercise=len(exercises) == 1)
    for fence, there in protection().items():
        if not there:
            console.print(
                f"this system cannot fence in {fence}: grade untrusted files on a Linux machine", style="yellow"
            )
    grades = grade_folder(students, exercises, options.workers, show_grade)
    if options.gradescope:
        write_whole(options.gradescope, json.dumps(gradescope(grades), indent=2, ensure_ascii=False) + "\n")
    else:
        out = options.out or options.folder.with_name(f"{options.folder.resolve().name}-grades")
        write_grades(out, grades)
        console.print(f"{len(students)} students, {len(exercises)} exercises: {out / 'grades.csv'}", markup=False)
    return 3 if any(grade.result.status == NOT_GRADED for grade in grades) else 0


def submissions(folder: Path, alone: bool, one_exercise: bool) -> dict[str, Path]:
    """Student → where their work lies: a folder, or a file where one exercise is graded."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if alone:
        return {folder.resolve().name: folder}
    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()}
    if one_exercise:
        found |= {path.stem: path for path in sorted(folder.glob("*.py")) if not path.is_symlink()}
    if not found:
        raise ValueError(
            f"{folder} holds no submissions: a folder for each student, or with --exercises NAME a file for each, STUDENT.py"
        )
    return found


def show_grade(grade: Grade) -> None:
    status = grade.result.status
    console.print(f"{MARKS.get(status, '?')} {grade.student}, {grade.exercise.name}: {status}", markup=False)
