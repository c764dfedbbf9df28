"""The commands around an exercise. Each takes its arguments and returns an exit code; checking.py has those that grade."""

import json
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import PASSED
from lessons.exercises.source import definition_text
from lessons.exercises.stub import live_source
from lessons.exercises.student import overviews
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.files import write_whole
from lessons.exercises.student.wording import told
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.tracks import TRACKS, track
from lessons.language.words import say, tell

console = Console(highlight=False, soft_wrap=True)


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
    parser = Arguments("next", "The exercise to do now.").with_workbook()
    parser.add_argument(
        "--track", metavar="NAME", help="; ".join(f"{name}: {say(what)}" for name, (what, _) in TRACKS.items())
    )
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = book.next_open(names=track(options.track) if options.track else ())
    if exercise is None:
        console.print(say("Everything is passed. There is no next exercise."))
    else:
        overviews.show_exercise(console, exercise, book)
    return 0


def start(arguments: list[str]) -> int:
    """Writes an exercise's stub."""
    parser = Arguments("start", "Write an exercise's stub into your workbook.").with_name()
    parser.add_argument("--out", metavar="FILE", help="write it there instead")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = asked_for(options.name, book)
    if options.out:
        path = Path(options.out)
        stub = book.stub(exercise)
        if path.is_file() and path.stat().st_size and path.read_text(encoding="utf-8") != stub:
            raise ValueError(f"{path} is there already, with other text: name another file, or remove it")
        write_whole(path, stub)
        console.print(f"{path}")
        return 0
    if not book.start(exercise):
        path = book.path(exercise)
        console.print(tell("{path} is there already and stays as it is. `reset` begins again.", path=path))
    overviews.show_exercise(console, exercise, book)
    return 0


def hint(arguments: list[str]) -> int:
    """The next hint; those that were read before come first."""
    options = Arguments("hint", "A hint, and then a larger one.").with_name().parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = asked_for(options.name, book)
    for line in book.next_hints(exercise):
        told(console, line)
    return 0


def solution(arguments: list[str]) -> int:
    """The real code, after the exercise is passed."""
    parser = Arguments("solution", "Show the solution.").with_name()
    parser.add_argument("--anyway", action="store_true", help="before you have passed")
    options = parser.parse_args(arguments)
    book = Workbook(options.workbook)
    book.refuse_in_exam("solutions")
    exercise = asked_for(options.name, book)
    if not options.anyway and book.progress(exercise).status != PASSED:
        console.print(
            tell(
                "{name} is not passed yet. `hint {name}` helps; `--anyway` shows the solution.",
                name=exercise.name,
            )
        )
        return 1
    for target in exercise.targets:
        text = definition_text(live_source(exercise), target).rstrip()
        console.print(Syntax(text, "python", background_color="default"))
    return 0


def reset(arguments: list[str]) -> int:
    """Begins an exercise again; the old file keeps its text under another name."""
    options = Arguments("reset", "Begin an exercise again.").with_name().parse_args(arguments)
    book = Workbook(options.workbook)
    exercise = asked_for(options.name, book)
    if kept := book.reset(exercise):
        console.print(tell("what you had is in {path}", path=kept))
    overviews.show_exercise(console, exercise, book)
    return 0


def asked_for(name: str | None, book: Workbook) -> Exercise:
    """The exercise with this name; without a name the one whose file was saved last, while it is open, else the next one."""
    latest = book.latest()
    if latest and book.progress(latest).status == PASSED:
        latest = None
    exercise = book.assignment.get(name) if name else latest or book.next_open()
    if exercise is None:
        raise ValueError("everything is passed: name an exercise")
    return exercise


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))
