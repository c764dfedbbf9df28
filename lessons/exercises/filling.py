"""Putting bodies back that a stub has left out: a student's file stands in for the whole module when it is run.

A body is put back where the student has left it empty, and whoever speaks of a line speaks of the student's own.
"""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lessons.exercises.source import UnreadableSourceError, find, functions, is_empty, lines_of, parse, span, statements

Piece = tuple[int, int, int]
"""How many lines stand before it, how many lines of the student's it replaces, how many it has."""


@dataclass(frozen=True)
class Filled:
    """A file with bodies put back, and where."""

    text: str
    pieces: Sequence[Piece] = ()

    def own_line(self, number: int) -> int | None:
        """The line of the student's file that is line `number` of this one; None inside of what was put back."""
        more = 0
        for before, was, now in self.pieces:
            if number <= before + more:
                break
            if number <= before + more + now:
                return None
            more += now - was
        return number - more


def filled(source: str, live: str, targets: Sequence[str]) -> Filled:
    """The source with the live body of every target that is still empty in it."""
    lines, put_back = lines_of(source), sorted(bodies(source, live, targets))
    pieces = [(start, end - start, len(text)) for start, end, text in put_back]
    for start, end, text in reversed(put_back):
        lines[start:end] = text
    return Filled("".join(lines), pieces)


def bodies(source: str, live: str, targets: Sequence[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Which slice of the source's lines is to become which lines of the live source."""
    tree, live_tree, lines, live_lines = parse(source), parse(live), lines_of(source), lines_of(live)
    for target in targets:
        for name, real in functions(find(live_tree, target), target):
            body = empty_body(tree, name)
            indent = lines[body[0].lineno - 1][: body[0].col_offset] if body else ""
            if body and not indent.strip():  # behind a colon, `def f(): ...`, there is no line to put it into
                start, end = span(live_lines, statements(real))
                text = textwrap.dedent("".join(live_lines[start:end]))
                yield *span(lines, body), lines_of(textwrap.indent(text, indent))


def empty_body(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The placeholder that stands as the function's body; nothing where there is no such function, or a written one."""
    try:
        function = find(tree, name)
    except UnreadableSourceError:
        return []  # the student has taken it out
    return statements(function) if isinstance(function, ast.FunctionDef) and is_empty(function) else []
