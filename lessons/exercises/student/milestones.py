"""What your code does: `python -m lessons milestone`, and the line under a pass."""

from collections.abc import Iterable

from rich.console import Console

from lessons.exercises.catalogue import get
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import RUNNER
from lessons.exercises.grading.result import PASSED
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.grading.stage import perform
from lessons.exercises.milestones.plan import MILESTONES, Milestone, after_passing, milestone_of, part
from lessons.exercises.milestones.plan import milestone as named
from lessons.exercises.milestones.together import together
from lessons.exercises.source import UnreadableSourceError
from lessons.exercises.student.arguments import Arguments
from lessons.exercises.student.files import read_submission
from lessons.exercises.student.wording import without_wall_text
from lessons.exercises.student.workbook import Workbook
from lessons.language.message import in_language
from lessons.language.words import say, tell

console = Console(highlight=False, soft_wrap=True)
FILES = dict[str, tuple[Exercise, str]]


def milestone(arguments: list[str]) -> int:
    """Runs the experiment of a part of the course on everything that is passed in the workbook."""
    parser = Arguments("milestone", "What your code does: a part's experiment, run on all that you have passed.")
    parser.add_argument("name", nargs="?", help=f"{', '.join(MILESTONES)} (that of the part you are in)")
    options = parser.with_workbook().parse_args(arguments)
    book = Workbook(options.workbook)
    book.refuse_in_exam("milestones")
    latest = book.latest()
    chosen = (
        named(options.name)
        if options.name
        else (latest and milestone_of(latest.lesson)) or next(iter(MILESTONES.values()))
    )
    files, left_out = passed_files(book)
    if not set(files) & set(part(chosen)):
        first = next(name for name in part(chosen))
        console.print(tell("{title}: nothing of this part is passed yet.", title=say(chosen.title)))
        console.print(f"    {book.command('start', first)}", markup=False)
        return 1
    console.print(f"[bold]{say(chosen.title)}[/bold]", highlight=False)
    return show(chosen, files, left_out)


def passed_files(book: Workbook) -> tuple[FILES, dict[str, str]]:
    """The student's files of what is passed, and why some of them are not there."""
    files: FILES = {}
    left_out: dict[str, str] = {}
    for name, status in book.statuses().items():
        exercise = get(name)
        if status != PASSED:
            continue
        try:
            files[name] = (exercise, read_submission(book.path(exercise)))
        except FileNotFoundError:
            left_out[name] = f"passed without a file: {book.path(exercise)} is not there"
        except UnreadableSourceError as problem:
            left_out[name] = str(problem)
    return files, left_out


def show(chosen: Milestone, files: FILES, left_out: dict[str, str]) -> int:
    """Runs it, and says what came, whose code it was, and what is still the library's."""
    texts, more = together(files)
    left_out |= more
    mine = [exercise for name, (exercise, _) in files.items() if name not in left_out]
    server = Forkserver(RUNNER)
    try:
        done = perform(server, chosen.run, texts, mine)
    finally:
        server.close()
    for line in done.lines:
        console.print(f"  {in_language(line)}", markup=False)
    if done.problem:
        stopped = tell("it stopped: {problem}", problem=in_language(done.problem))
        console.print(f"  {stopped}", style="red", markup=False)
    ran = {name: times for name, times in done.calls.items() if times}
    yours = ", ".join(f"{name} ({times:,} ×)" for name, times in ran.items())
    listed(say("Yours, with how often it was called:"), [yours or say("nothing of it was called")])
    listed(say("Still the library's:"), [", ".join(name for name in chosen.main if name not in ran)])
    listed(say("Left out:"), [f"{name}: {in_language(why)}" for name, why in left_out.items()])
    if done.without_wall:
        console.print(without_wall_text(done.without_wall), style="yellow", markup=False)
    return 1 if done.problem else 0


def listed(heading: str, lines: Iterable[str]) -> None:
    if any(lines):
        console.print(heading, style="dim", markup=False)
        for line in lines:
            console.print(f"  {line}", markup=False)


def after_pass(server: Forkserver, exercise: Exercise, source: str) -> str:
    """With your ...: what the library does now, with this file in it. Empty where there is nothing to hear or see."""
    run = after_passing().get(exercise.name)
    if run is None:
        return ""
    texts, _ = together({exercise.name: (exercise, source)})
    done = perform(server, run, texts, [exercise])
    times = done.calls.get(exercise.name, 0)
    what = "; ".join(in_language(line) for line in done.lines)
    if done.problem or not times:
        problem = in_language(done.problem) if done.problem else say("nothing called it")
        return tell("It could not be run in the model: {problem}", problem=problem)
    one, *more = last_parts(exercise.targets)
    names = tell("{one} and {other}", one=one, other=more[0]) if more else one
    if times == 1:
        return tell("With your {names}, called once, {what}", names=names, what=what)
    return tell("With your {names}, called {times} times, {what}", names=names, times=f"{times:,}", what=what)


def last_parts(targets: Iterable[str]) -> list[str]:
    """Of many functions, the first two stand for all."""
    return list(targets)[:2]
