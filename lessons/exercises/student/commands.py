"""The commands of the exercises. Each takes its arguments and returns an exit code."""

import json
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import EXIT_CODES, FAILED, NOT_ATTEMPTED, NOT_GRADED, PASSED, Grader, Result
from lessons.exercises.source import UnreadableSourceError, definition_text
from lessons.exercises.student import overviews
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.watching import saved_files
from lessons.exercises.student.wording import as_json, show
from lessons.exercises.student.workbook import Progress, Workbook, live_source, read_submission, stub_of, write_whole
from lessons.exercises.teacher import teachers

console = Console(highlight=False, soft_wrap=True)
release, grade = teachers.release, teachers.grade


def overview(arguments: list[str]) -> int:
    """The course, and where you are."""
    options = Arguments("", "The course, and where you are.").with_workbook().parse_args(arguments)
    overviews.show_course(console, Workbook(options.workbook))
    return 0


def list_exercises(arguments: list[str]) -> int:
    """Every exercise and how it stands."""
    parser = Arguments("list", "Every exercise and how it stands.").with_workbook()
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    if options.json:
        print_json(overviews.listing(book))
    else:
        overviews.show_list(console, book)
    return 0


def next_exercise(arguments: list[str]) -> int:
    """The exercise to do now: the first that is not passed and whose prerequisites are."""
    options = Arguments("next", "The exercise to do now.").with_workbook().parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = overviews.first_open(book)
    if exercise is None:
        console.print("Everything is passed. There is no next exercise.")
    else:
        overviews.show_exercise(console, exercise, book)
    return 0


def start(arguments: list[str]) -> int:
    """Writes an exercise's stub."""
    parser = Arguments("start", "Write an exercise's stub into your workbook.").with_name()
    parser.add_argument("--out", metavar="FILE", help="write it there instead")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = chosen(options.name, book)
    if options.out:
        path = Path(options.out)
        if path.is_file() and path.stat().st_size and path.read_text(encoding="utf-8") != stub_of(exercise):
            raise ValueError(f"{path} is there already, with other text: name another file, or remove it")
        write_whole(path, stub_of(exercise))
        console.print(f"{path}")
        return 0
    if not book.start(exercise):
        console.print(f"{book.path(exercise)} is there already and stays as it is. `reset` begins again.")
    overviews.show_exercise(console, exercise, book)
    return 0


def check(arguments: list[str]) -> int:
    """Grades a file. 0 passed, 1 failed, 2 not attempted, 3 could not be graded."""
    parser = Arguments("check", "Grade your solution.").with_name()
    parser.add_argument("--file", metavar="PATH", help="grade this file instead of the one in your workbook")
    parser.add_argument("--json", action="store_true", help="for machines")
    try:
        options = parser.parse_args(arguments)
        book = Workbook(options.workbook)
        exercise = chosen(options.name, book)
        file = Path(options.file or book.path(exercise))
        result = check_file(Grader(), exercise, file, must_exist=bool(options.file))
    except (ValueError, FileNotFoundError) as problem:  # here 2 means "not attempted", so nothing may reach the outside
        if "--json" in arguments:
            print_json(as_json(Result("", NOT_GRADED, str(problem))))
        else:
            console.print(str(problem), style="magenta", markup=False)
        return EXIT_CODES[NOT_GRADED]
    if not options.file:
        keep(book, exercise, result)
    if options.json:
        print_json(as_json(result))
    else:
        show(console, result, str(file), overviews.what_now(result, exercise, book))
    return result.exit_code


def hint(arguments: list[str]) -> int:
    """The next hint; those that were read before come first."""
    parser = Arguments("hint", "A hint, and then a larger one.").with_name()
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = chosen(options.name, book)
    shown = min(book.progress().get(exercise.name, Progress()).hints + 1, len(exercise.hints))
    for number, text in enumerate(exercise.hints[:shown], start=1):
        console.print(f"hint {number} of {len(exercise.hints)}: {text}", markup=False)
    book.record(exercise, hints=shown)
    return 0


def solution(arguments: list[str]) -> int:
    """The real code, after the exercise is passed."""
    parser = Arguments("solution", "Show the solution.").with_name()
    parser.add_argument("--anyway", action="store_true", help="before you have passed")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = chosen(options.name, book)
    if not options.anyway and book.progress().get(exercise.name, Progress()).status != PASSED:
        console.print(
            f"{exercise.name} is not passed yet. `hint {exercise.name}` helps; `--anyway` shows the solution."
        )
        return 1
    for target in exercise.targets:
        console.print(
            Syntax(definition_text(live_source(exercise), target).rstrip(), "python", background_color="default")
        )
    return 0


def reset(arguments: list[str]) -> int:
    """Begins an exercise again; the old file keeps its text under another name."""
    options = Arguments("reset", "Begin an exercise again.").with_name().parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = chosen(options.name, book)
    if kept := book.reset(exercise):
        console.print(f"what you had is in {kept}")
    book.record(exercise, status=NOT_ATTEMPTED)
    overviews.show_exercise(console, exercise, book)
    return 0


def watch(arguments: list[str]) -> int:
    """Grades a file of the workbook whenever it is saved, until Ctrl-C."""
    parser = Arguments("watch", "Grade whenever a file is saved.").with_workbook()
    parser.add_argument("--times", type=int, default=0, metavar="N", help="stop after N checks")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercises = {book.path(exercise): exercise for exercise in all_exercises().values()}
    grader = Grader()
    grader.server.start()
    console.print(f"watching {book.folder}/: save a file to have it checked; Ctrl-C stops", markup=False)
    for number, path in enumerate(saved_files(exercises), start=1):
        result = check_file(grader, exercises[path], path, must_exist=False)
        keep(book, exercises[path], result)
        show(console, result, str(path), overviews.what_now(result, exercises[path], book))
        if number == options.times:
            break
    return 0


def check_file(grader: Grader, exercise: Exercise, path: Path, must_exist: bool) -> Result:
    if not must_exist and not path.exists():
        return Result(exercise.name, NOT_ATTEMPTED, f"`python -m lessons start {exercise.name}` writes {path}")
    try:
        return grader.check(exercise, read_submission(path))
    except UnreadableSourceError as problem:
        return Result(exercise.name, FAILED, str(problem))


def keep(book: Workbook, exercise: Exercise, result: Result) -> None:
    if result.status in (PASSED, FAILED):
        book.record(exercise, status=result.status)


def chosen(name: str | None, book: Workbook) -> Exercise:
    exercise = get(name) if name else overviews.first_open(book)
    if exercise is None:
        raise ValueError("everything is passed: name an exercise")
    return exercise


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
