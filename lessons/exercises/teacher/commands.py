"""The commands for teachers: `release` and `guide` here, `grade` in grading.py."""

import tempfile
from pathlib import Path

from rich.console import Console

from lessons.exercises.assignment import Assignment, assigned
from lessons.exercises.grading import tree
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.files import write_whole
from lessons.exercises.teacher import grading
from lessons.exercises.teacher.guide import guide as guide_text
from lessons.exercises.teacher.release import must_be_empty, must_be_new_zip, release_autograder, release_students
from lessons.exercises.teacher.wheel import build_wheel
from lessons.language.message import in_language
from lessons.task.outputs import out_file, out_folder

console = Console(highlight=False, soft_wrap=True)
grade = grading.grade


def release(arguments: list[str]) -> int:
    """Writes the students' repository, and the zip file for Gradescope if it is asked for."""
    parser = Arguments("release", "Make the students' repository.")
    parser.add_argument("folder", type=out_folder, metavar="DIR", help="a new folder for the students")
    grading.add_what_is_asked(parser)
    wheels = parser.add_mutually_exclusive_group()
    wheels.add_argument("--wheel", type=Path, metavar="FILE", help="the library as a wheel (it is built)")
    wheels.add_argument("--no-wheel", action="store_true", help="students install the library from an index")
    parser.add_argument("--autograder", type=out_file, metavar="FILE.zip", help="write the zip file for Gradescope too")
    options = parser.parse_args(arguments)
    asked = assigned(options.assignment, options.exercises)
    if asked.exam and options.no_wheel:
        raise ValueError("in an exam students get a wheel without the answers: leave out --no-wheel")
    tree.tests_folder()  # what is missing is said before anything is begun
    if options.autograder:
        must_be_new_zip(options.autograder)
    must_be_empty(options.folder)
    if options.wheel or options.no_wheel:
        if options.wheel and not options.wheel.is_file():
            raise FileNotFoundError(f"there is no file {options.wheel}")
        release_students(options.folder, asked, options.wheel)
    else:
        release_with_new_wheel(options.folder, asked)
    console.print(in_language(f"{options.folder}: {len(asked.exercises)} exercises for students"), markup=False)
    if options.autograder:
        release_autograder(options.autograder, asked)
        console.print(in_language(f"{options.autograder}: upload it to Gradescope as the autograder"), markup=False)
    return 0


def release_with_new_wheel(folder: Path, asked: Assignment) -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-") as scratch:
        wheel = build_wheel(Path(scratch), exam=asked.exercises if asked.exam else ())
        release_students(folder, asked, wheel)


def guide(arguments: list[str]) -> int:
    """The teacher's guide, on the screen or into a file."""
    parser = Arguments("guide", "The teacher's guide: how, a syllabus, and every exercise's usual mistakes.")
    parser.add_argument("--out", type=out_file, metavar="FILE", help="write it there (Markdown)")
    options = parser.parse_args(arguments)
    if options.out:
        write_whole(options.out, guide_text())
        console.print(f"{options.out}", markup=False)
    else:
        print(guide_text(), end="")
    return 0
