"""`start`, `hint` and `next` for a notebook: what the terminal's commands say, on the same workbook.

from lessons import check, hint, start
start("split_heads")
"""

import ast
import textwrap

from lessons.exercises.course import LESSONS
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.result import PASSED
from lessons.exercises.helpers import helpers
from lessons.exercises.source import definition_text, parse
from lessons.exercises.stub import live_source
from lessons.exercises.student.cells import top_level_names
from lessons.exercises.student.workbook import Workbook, nearest_workbook
from lessons.language.words import say, tell


class Lines(str):
    """Text that a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)


def start(name: str | None = None) -> Lines:
    """What is to be written, for a cell of your own: imports, signatures with their docstrings, and how it is checked."""
    exercise, book = asked_for(name), nearest_workbook()
    book.record(exercise)
    stub = book.stub(exercise)
    may_use = helpers(live_source(exercise), exercise.targets)
    used = "\n".join(["# " + say("You may use"), *(f"#   {line}" for line in may_use)]) if may_use else ""
    parts = [textwrap.dedent(definition_text(stub, target)) for target in exercise.targets]
    given = ", ".join(f"{target.rpartition('.')[2]}={target.rpartition('.')[2]}" for target in exercise.targets)
    pieces = [heading(exercise), used, imports(exercise), *parts, f"check({exercise.name!r}, {given})"]
    return Lines("\n\n".join(piece for piece in pieces if piece))


def imports(exercise: Exercise) -> str:
    """The lines of the module without which a cell with these functions does not run, and `check`."""
    live = live_source(exercise)
    texts = [textwrap.dedent(definition_text(live, target)) for target in exercise.targets]
    used = {node.id for text in texts for node in ast.walk(parse(text)) if isinstance(node, ast.Name)}
    lines = ["from lessons import check"]
    for line in parse(live).body:
        if isinstance(line, ast.Import | ast.ImportFrom):
            line.names = [alias for alias in line.names if (alias.asname or alias.name.partition(".")[0]) in used]
            used -= {alias.asname or alias.name.partition(".")[0] for alias in line.names}
            lines += [ast.unparse(line)] if line.names else []
    own = sorted((used & top_level_names(parse(live))) - set(exercise.targets))
    lines += [f"from {exercise.module} import {', '.join(own)}"] if own else []
    return "\n".join(lines)


def hint(name: str | None = None) -> Lines:
    """The next hint; those that were read before come first."""
    exercise, book = asked_for(name), nearest_workbook()
    return Lines("\n".join(book.next_hints(exercise)))


def next_exercise() -> Lines:
    """The exercise to do now: of the lesson that you are in, as long as it has one."""
    exercise = nearest_workbook().next_open()
    return Lines(f"{heading(exercise)}\n\nstart({exercise.name!r})" if exercise else say("Everything is passed."))


def heading(exercise: Exercise) -> str:
    values = {"lesson": exercise.lesson, "title": say(LESSONS[exercise.lesson]), "minutes": exercise.minutes}
    about = tell("lesson {lesson}, {title}; about {minutes} minutes", **values)
    return f"# {exercise.name}: {say(exercise.title)}\n# {about}"


def asked_for(name: str | None) -> Exercise:
    book: Workbook = nearest_workbook()
    latest = book.worked_on()
    if latest and book.progress(latest).status == PASSED:
        latest = None
    exercise = book.assignment.get(name) if name else latest or book.next_open()
    if exercise is None:
        raise ValueError("everything is passed: name an exercise")
    return exercise
