"""What the commands show of the course as a whole: lists, the next exercise, where you are."""

from typing import Any

from rich.console import Console
from rich.table import Table

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import NOT_ATTEMPTED, PASSED, Result
from lessons.exercises.student.wording import COLOURS, MARKS
from lessons.exercises.student.workbook import Progress, Workbook


def statuses(book: Workbook) -> dict[str, str]:
    progress = book.progress()
    return {name: progress.get(name, Progress()).status for name in all_exercises()}


def listing(book: Workbook) -> list[dict[str, Any]]:
    """What `list --json` prints."""
    status = statuses(book)
    return [
        {
            "name": exercise.name,
            "lesson": exercise.lesson,
            "module": exercise.module,
            "targets": list(exercise.targets),
            "status": status[exercise.name],
            "title": exercise.title,
            "difficulty": exercise.difficulty,
            "minutes": exercise.minutes,
            "after": list(exercise.after),
            "points": exercise.worth,
        }
        for exercise in all_exercises().values()
    ]


def first_open(book: Workbook) -> Exercise | None:
    """The first exercise that is not passed and whose prerequisites are, else the first that is not passed."""
    status = statuses(book)
    waiting = [exercise for exercise in all_exercises().values() if status[exercise.name] != PASSED]
    ready = [exercise for exercise in waiting if all(status.get(name) == PASSED for name in exercise.after)]
    return next(iter([*ready, *waiting]), None)


def show_list(console: Console, book: Workbook) -> None:
    status = statuses(book)
    table = Table("", "exercise", "what it is", "difficulty", "minutes", "after", box=None, pad_edge=False)
    lesson = 0
    for exercise in all_exercises().values():
        if exercise.lesson != lesson:
            lesson = exercise.lesson
            table.add_row("", f"[bold]{lesson}. {LESSONS[lesson]}[/bold]")
        now = status[exercise.name]
        mark = f"[{COLOURS.get(now, 'white')}]{MARKS.get(now, '·')}[/]"
        stars = "●" * exercise.difficulty
        table.add_row(mark, exercise.name, exercise.title, stars, str(exercise.minutes), ", ".join(exercise.after))
    console.print(table)


def show_course(console: Console, book: Workbook) -> None:
    """Each lesson with how many of its exercises are passed, and what to type now."""
    status = statuses(book)
    for number, title in LESSONS.items():
        mine = [exercise.name for exercise in all_exercises().values() if exercise.lesson == number]
        done = sum(status[name] == PASSED for name in mine)
        colour = "green" if mine and done == len(mine) else "white"
        count = f"{done} of {len(mine)} exercises" if mine else ""
        console.print(f"[{colour}]{number:3}  {title:48}{count}[/]")
    passed = sum(now == PASSED for now in status.values())
    console.print(f"\n{passed} of {len(status)} exercises passed. Your files are in {book.folder}/")
    if exercise := first_open(book):
        begun = book.path(exercise).exists()
        verb = "check" if begun else "start"
        console.print(f"Next: {exercise.title}\n    python -m lessons {verb} {exercise.name}")
    console.print("`python -m lessons help` lists the commands.", markup=False)


def show_exercise(console: Console, exercise: Exercise, book: Workbook) -> None:
    console.print(f"[bold]{exercise.name}[/bold]: {exercise.title}")
    console.print(
        f"lesson {exercise.lesson}, {LESSONS[exercise.lesson]}; {'●' * exercise.difficulty}, about {exercise.minutes} minutes"
    )
    status = statuses(book)
    if missing := [name for name in exercise.after if status.get(name) != PASSED]:
        console.print(f"better after: {', '.join(missing)}")
    console.print(f"write {', '.join(exercise.targets)} in {book.path(exercise)}", markup=False)
    verb = "check" if book.path(exercise).exists() else "start"
    console.print(f"then: python -m lessons {verb} {exercise.name}")


def what_now(result: Result, exercise: Exercise, book: Workbook) -> str:
    """The line under a result: where to go from here."""
    if result.status == PASSED:
        following = first_open(book)
        more = f"; next: python -m lessons start {following.name}" if following else ""
        return f"compare with ours: python -m lessons solution {exercise.name}{more}"
    if result.status == NOT_ATTEMPTED:
        return ""
    return f"stuck? python -m lessons hint {exercise.name}"
