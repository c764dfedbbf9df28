"""What the commands show of the course as a whole: lists, the next exercise, where you are."""

from typing import Any

from rich.console import Console
from rich.table import Table

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import NOT_ATTEMPTED, PASSED, Result
from lessons.exercises.milestones.plan import MILESTONES, milestone_of, part
from lessons.exercises.student.wording import COLOURS, MARKS
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.tracks import TRACKS


def listing(book: Workbook) -> list[dict[str, Any]]:
    """What `list --json` prints."""
    status = book.statuses()
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
        for exercise in book.exercises
    ]


def show_list(console: Console, book: Workbook) -> None:
    """Under each lesson its exercises: the names whole, since they are what is typed."""
    status = book.statuses()
    wide = max((len(exercise.name) for exercise in book.exercises), default=0)
    lesson = 0
    for exercise in book.exercises:
        if exercise.lesson != lesson:
            lesson = exercise.lesson
            console.print(f"[bold]{lesson}. {LESSONS[lesson]}[/bold]", soft_wrap=False)
        now = status[exercise.name]
        mark = f"[{COLOURS.get(now, 'white')}]{MARKS.get(now, '·')}[/]"
        missing = [name for name in exercise.after if status.get(name, PASSED) != PASSED]
        after = f" [dim](after {', '.join(missing)})[/]" if missing else ""
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=1)
        row.add_column(width=wide, no_wrap=True)
        row.add_column(width=5)
        row.add_column(width=6)
        row.add_column()
        stars, minutes = "●" * exercise.difficulty, f"{exercise.minutes:2} min"
        row.add_row(mark, exercise.name, stars, minutes, exercise.title + after)
        console.print(row)


def show_course(console: Console, book: Workbook) -> None:
    """Each lesson with how many of its exercises are passed, and what to type now."""
    status, wide = book.statuses(), max(map(len, LESSONS.values()))
    for number, title in LESSONS.items():
        mine = [exercise.name for exercise in book.exercises if exercise.lesson == number]
        if not mine and len(book.exercises) < len(all_exercises()):
            continue  # a part of the course was given out, and this lesson is not in it
        done = sum(status[name] == PASSED for name in mine)
        colour = "green" if mine and done == len(mine) else "white"
        count = f"{done} of {len(mine)} exercise{'s' if len(mine) > 1 else ''}" if mine else ""
        console.print(f"[{colour}]{number:3}  {title:{wide}}  {count}[/]")
    passed = sum(now == PASSED for now in status.values())
    console.print(f"\n{passed} of {len(status)} exercises passed. Your files are in {book.folder}/")
    if exercise := book.next_open():
        begun = book.path(exercise).exists()
        verb = "check" if begun else "start"
        console.print(f"Next: {exercise.title}\n    python -m lessons {verb} {exercise.name}")
    show_ways(console, book)
    console.print("`python -m lessons help` lists the commands.", markup=False)


def show_ways(console: Console, book: Workbook) -> None:
    """Under a course that is given out whole: the short ways through it, and what can be run on what is passed."""
    if len(book.exercises) < len(all_exercises()):
        return
    status = book.statuses()
    wide = max(map(len, [*TRACKS, *MILESTONES]))
    console.print("\nShort ways: python -m lessons next --track NAME")
    for name, (what, names) in TRACKS.items():
        done = sum(status[each] == PASSED for each in names.split())
        console.print(f"  {name:{wide}}  {what}, {done} passed", markup=False)
    console.print("What you have written, at work (by lessons): python -m lessons milestone NAME")
    for each in MILESTONES.values():
        mine = list(part(each))
        done = sum(status[name] == PASSED for name in mine)
        where = f"{each.lessons[0]}–{each.lessons[1]}"
        console.print(f"  {each.name:{wide}}  {each.title} ({where}): {done} of {len(mine)}", markup=False)


def show_exercise(console: Console, exercise: Exercise, book: Workbook) -> None:
    console.print(f"[bold]{exercise.name}[/bold]: {exercise.title}")
    console.print(
        f"lesson {exercise.lesson}, {LESSONS[exercise.lesson]}; {'●' * exercise.difficulty}, about {exercise.minutes} minutes"
    )
    status = book.statuses()
    if missing := [name for name in exercise.after if status.get(name, PASSED) != PASSED]:
        console.print(f"better after: {', '.join(missing)}")
    console.print(f"write {', '.join(exercise.targets)} in {book.path(exercise)}", markup=False)
    verb = "check" if book.path(exercise).exists() else "start"
    console.print(f"then: python -m lessons {verb} {exercise.name}")


def what_now(result: Result, exercise: Exercise, book: Workbook) -> dict[str, str]:
    """Where to go from here, under a result: what for → the command."""
    if result.status == PASSED:
        following = book.next_open(near=exercise)
        more = {"Next:": f"python -m lessons start {following.name}"} if following else {}
        return {"Compare with ours:": f"python -m lessons solution {exercise.name}"} | more | part_done(exercise, book)
    return {} if result.status == NOT_ATTEMPTED else {"Stuck?": f"python -m lessons hint {exercise.name}"}


def part_done(exercise: Exercise, book: Workbook) -> dict[str, str]:
    """Its part's milestone, when all of the part is passed."""
    mine, status = milestone_of(exercise.lesson), book.statuses()
    if mine is None or any(status.get(name) != PASSED for name in part(mine)):
        return {}
    return {f"{mine.title}:": f"python -m lessons milestone {mine.name}"}
