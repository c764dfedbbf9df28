"""The two commands that grade: `check` once, `watch` whenever a file is saved."""

from pathlib import Path

from rich.console import Console

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.result import EXIT_CODES, FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Result
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.commands import asked_for, print_json
from lessons.exercises.student.file_changes import saved_files
from lessons.exercises.student.files import read_submission
from lessons.exercises.student.milestones import after_pass
from lessons.exercises.student.overviews import what_now
from lessons.exercises.student.wording import WITHOUT_WALL, as_json, show, told, without_wall_text
from lessons.exercises.student.workbook import Workbook
from lessons.language.message import in_language
from lessons.language.words import tell

console = Console(highlight=False, soft_wrap=True)


def check(arguments: list[str]) -> int:
    """Grades a file. 0 passed, 1 failed, 2 not attempted, 3 could not be graded."""
    parser = Arguments("check", "Grade your solution.").with_name()
    parser.add_argument("--file", metavar="PATH", help="grade this file instead of the one in your workbook")
    parser.add_argument("--json", action="store_true", help="for machines")
    try:
        options = parser.parse_args(arguments)
        book = Workbook(options.workbook)
        book.refuse_in_exam("checks")
        exercise = asked_for(options.name, book)
        file = Path(options.file or book.path(exercise))
        grader = Grader()
        result = check_file(grader, exercise, file, book, must_exist=bool(options.file))
    except (ValueError, FileNotFoundError) as problem:  # here 2 means "not attempted", so nothing may reach the outside
        if "--json" in arguments:
            print_json(as_json(Result("", NOT_GRADED, str(problem))))
        else:
            console.print(in_language(str(problem)), style="magenta", markup=False)
        return EXIT_CODES[NOT_GRADED]
    if not options.file:
        book.keep(exercise, result)
    if options.json:
        print_json(as_json(result))
    else:
        show(console, result, str(file), what_now(result, exercise, book))
        say_what_it_does(grader, exercise, file, result)
        say_what_is_missing(grader, book)
    return result.exit_code


def watch(arguments: list[str]) -> int:
    """Grades a file of the workbook whenever it is saved, until Ctrl-C."""
    parser = Arguments("watch", "Grade whenever a file is saved.").with_workbook()
    parser.add_argument("--times", type=int, default=0, metavar="N", help="stop after N checks")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    book.refuse_in_exam("checks")
    exercises = {book.path(exercise): exercise for exercise in book.exercises}
    grader, saved = Grader(many=True), saved_files(exercises)
    grader.server.start()  # after the first look: what is saved while it warms up counts
    watching = tell("watching {folder}/: save a file to have it checked; Ctrl-C stops", folder=book.folder)
    console.print(watching, markup=False)
    for number, path in enumerate(saved, start=1):
        result = check_file(grader, exercises[path], path, book, must_exist=False)
        book.keep(exercises[path], result)
        show(console, result, str(path), what_now(result, exercises[path], book))
        say_what_it_does(grader, exercises[path], path, result)
        say_what_is_missing(grader, book)
        if number == options.times:
            break
    return 0


def check_file(grader: Grader, exercise: Exercise, path: Path, book: Workbook, must_exist: bool) -> Result:
    if not must_exist and not path.exists():
        return Result(exercise.name, NOT_ATTEMPTED, f"`{book.command('start', exercise.name)}` writes {path}")
    try:
        return grader.check(exercise, read_submission(path))
    except UnreadableSourceError as problem:
        return Result(exercise.name, FAILED, str(problem))


def say_what_it_does(grader: Grader, exercise: Exercise, path: Path, result: Result) -> None:
    """Under a pass: what the model does with the student's file in it."""
    if result.status == PASSED and (line := after_pass(grader.server, exercise, read_submission(path))):
        told(console, line, style="green")


def say_what_is_missing(grader: Grader, book: Workbook) -> None:
    """A student's own file on their own machine is checked without a wall too, but not without a word, once."""
    if grader.without_wall and book.first_time(WITHOUT_WALL):
        console.print(without_wall_text(grader.without_wall), style="yellow", markup=False, soft_wrap=False)
