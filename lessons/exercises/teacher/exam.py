"""What an exam leaves out of the library that students get: the answers, the hints, the usual mistakes, the lessons.

The functions that are asked for are cut out of their modules, as in a stub. What the field's own packages compute (torch)
and faster twins under other names stay: an exam that asks for attention is written in a room without them, or by hand.
"""

import ast
import shutil
from collections.abc import Sequence
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import lines_of, without_bodies
from lessons.language.po import read_po

NOTHING = {"hints": '("This is an exam.", "There are no hints.")', "wrong": "()", "harmless": "()"}
COMMENT = "This is an exam: the library does not hold it."
LESSONS = (
    "lessons/[0-9][0-9]_*.py",
    "lessons/zh/[0-9][0-9]_*.po",
    "lessons/zh/graders.po",
    "lessons/experiments",
    "lessons/page/transformer.js",
)
"""Pages, their translations, what graders say of mistakes, what lessons compute on the side, the model in another language."""

TITLES_AND_HINTS = "lessons/zh/exercises.po"


def without_answers(library: Path, exercises: Sequence[Exercise]) -> None:
    """Rewrites a copy of the library in place."""
    for exercise in exercises:
        module = library.joinpath(*exercise.module.split(".")).with_suffix(".py")
        module.write_text(without_bodies(module.read_text("utf-8"), exercise.targets, COMMENT), encoding="utf-8")
    for entry in (library / "lessons/exercises/catalogue").glob("*.py"):
        entry.write_text(without_help(entry.read_text("utf-8")), encoding="utf-8")
    for path in [path for pattern in LESSONS for path in library.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if (library / TITLES_AND_HINTS).is_file():
        translated = read_po(library / TITLES_AND_HINTS)
        translated[:] = [entry for entry in translated if entry.comment != "hint"]
        translated.save(str(library / TITLES_AND_HINTS))


def without_help(source: str) -> str:
    """A file of the catalogue with neither hints nor mistakes, which show the answer's lines."""
    lines = lines_of(source)
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    given = [word for call in calls for word in call.keywords if word.arg in NOTHING]
    for word in sorted(given, key=lambda word: word.lineno, reverse=True):
        indent = " " * word.col_offset
        last = lines[(word.end_lineno or word.lineno) - 1][word.value.end_col_offset or 0 :]
        lines[word.lineno - 1 : word.end_lineno] = [f"{indent}{word.arg}={NOTHING[word.arg or '']}{last}"]
    return "".join(lines)
