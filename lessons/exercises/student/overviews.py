"""What the commands show of the course as a whole: lists, the next exercise, where you are."""

from typing import Any

from rich.cells import cell_len
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
from lessons.language.words import say, tell
from lessons.language.wrapping import padded


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
            console.print(f"[bold]{lesson}. {say(LESSONS[lesson])}[/bold]", soft_wrap=False)
        now = status[exercise.name]
        mark = f"[{COLOURS.get(now, 'white')}]{MARKS.get(now, '·')}[/]"
        missing = [name for name in exercise.after if status.get(name, PASSED) != PASSED]
        before = tell("(after {names})", names=", ".join(missing))
        after = f" [dim]{before}[/]" if missing else ""
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=1)
        row.add_column(width=wide, no_wrap=True)
        row.add_column(width=5)
        row.add_column(width=7)
        row.add_column()
        stars, minutes = "●" * exercise.difficulty, tell("{minutes} min", minutes=f"{exercise.minutes:2}")
        row.add_row(mark, exercise.name, stars, minutes, say(exercise.title) + after)
        console.print(row)


def show_course(console: Console, book: Workbook) -> None:
    """Each lesson with how many of its exercises are passed, and what to type now."""
    status = book.statuses()
    wide = max(cell_len(say(title)) for title in LESSONS.values())
    for number, title in LESSONS.items():
        mine = [exercise.name for exercise in book.exercises if exercise.lesson == number]
        if not mine and len(book.exercises) < len(all_exercises()):
            continue  # a part of the course was given out, and this lesson is not in it
        done = sum(status[name] == PASSED for name in mine)
        colour = "green" if mine and done == len(mine) else "white"
        console.print(f"[{colour}]{number:3}  {padded(say(title), wide)}  {count_text(done, len(mine))}[/]")
    passed = sum(now == PASSED for now in status.values())
    many = {"passed": passed, "number": len(status), "folder": book.folder}
    console.print("\n" + tell("{passed} of {number} exercises passed. Your files are in {folder}/", **many))
    if exercise := book.next_open():
        console.print(tell("Next: {title}", title=say(exercise.title)))
        console.print(f"    {what_to_type(exercise, book)}", markup=False)
    show_ways(console, book)
    console.print(say("`python -m lessons help` lists the commands."), markup=False)


def count_text(done: int, number: int) -> str:
    """Of a lesson's exercises."""
    if number == 1:
        return tell("{done} of 1 exercise", done=done)
    return tell("{done} of {number} exercises", done=done, number=number) if number else ""


def show_ways(console: Console, book: Workbook) -> None:
    """Under a course that is given out whole: the short ways through it, and what can be run on what is passed."""
    if len(book.exercises) < len(all_exercises()):
        return
    status = book.statuses()
    wide = max(map(len, [*TRACKS, *MILESTONES]))
    console.print("\n" + say("Short ways: python -m lessons next --track NAME"))
    for name, (what, names) in TRACKS.items():
        done = sum(status[each] == PASSED for each in names.split())
        console.print(f"  {name:{wide}}  " + tell("{what}, {done} passed", what=say(what), done=done), markup=False)
    console.print(say("What you have written, at work (by lessons): python -m lessons milestone NAME"))
    for each in MILESTONES.values():
        mine = list(part(each))
        done = sum(status[name] == PASSED for name in mine)
        where = f"{each.lessons[0]}–{each.lessons[1]}"
        values = {"title": say(each.title), "where": where, "done": done, "number": len(mine)}
        console.print(f"  {each.name:{wide}}  " + tell("{title} ({where}): {done} of {number}", **values), markup=False)


def show_exercise(console: Console, exercise: Exercise, book: Workbook) -> None:
    console.print(f"[bold]{exercise.name}[/bold]: {say(exercise.title)}")
    values = {"lesson": exercise.lesson, "title": say(LESSONS[exercise.lesson]), "minutes": exercise.minutes}
    stars = "●" * exercise.difficulty
    console.print(tell("lesson {lesson}, {title}; {stars}, about {minutes} minutes", **values, stars=stars))
    status = book.statuses()
    if missing := [name for name in exercise.after if status.get(name, PASSED) != PASSED]:
        console.print(tell("better after: {names}", names=", ".join(missing)))
    targets = ", ".join(exercise.targets)
    console.print(tell("write {targets} in {path}", targets=targets, path=book.path(exercise)), markup=False)
    console.print(tell("then: {command}", command=what_to_type(exercise, book)), markup=False)


def what_to_type(exercise: Exercise, book: Workbook) -> str:
    """The command that leads on. In an exam nothing is checked: Python says whether it can read the file."""
    path = book.path(exercise)
    if path.exists() and book.assignment.exam:
        return f"python {path}"
    verb = "check" if path.exists() else "start"
    return book.command(verb, exercise.name)


def what_now(result: Result, exercise: Exercise, book: Workbook) -> dict[str, str]:
    """Where to go from here, under a result: what for → the command."""
    if result.status == PASSED:
        following = book.next_open(near=exercise)
        more = {say("Next:"): book.command("start", following.name)} if following else {}
        ours = {say("Compare with ours:"): book.command("solution", exercise.name)}
        return ours | more | part_done(exercise, book)
    return {} if result.status == NOT_ATTEMPTED else {say("Stuck?"): book.command("hint", exercise.name)}


def part_done(exercise: Exercise, book: Workbook) -> dict[str, str]:
    """Its part's milestone, when all of the part is passed."""
    mine, status = milestone_of(exercise.lesson), book.statuses()
    if mine is None or any(status.get(name) != PASSED for name in part(mine)):
        return {}
    return {tell("{title}:", title=say(mine.title)): book.command("milestone", mine.name)}
