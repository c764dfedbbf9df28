"""Pairs of submissions that are alike, also after names and comments were changed.

Only what an exercise asks for is compared: its functions' bodies, as Python's syntax tree, with every variable's name taken
away and docstrings left out. The measure is the share of runs of five nodes that both have. It proves nothing: short
functions have few right forms. So a pair that is like the library's own solution is marked, and a body of a few lines is
not compared.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from lessons.exercises.exercise import Exercise
from lessons.exercises.source import UnreadableSourceError, find, functions, is_empty, parse, statements
from lessons.exercises.stub import live_source
from lessons.exercises.student.files import read_submission
from lessons.exercises.teacher.submissions import file_of
from lessons.exercises.teacher.tables import write_table

RUN = 5
SHORTEST = 30
"""Nodes. Below, two honest answers are often the same."""

HEADING = ["exercise", "student", "other", "alike", "like the library's", "nodes"]
Runs = Counter[tuple[str, ...]]


def write_similarity(
    path: Path, students: Mapping[str, Path], exercises: Sequence[Exercise], threshold: float
) -> list[list[str]]:
    """Writes and returns a row for each pair that is at least so much alike, the most alike first."""
    rows = [row for exercise in exercises for row in pairs(exercise, students, threshold)]
    rows.sort(key=lambda row: (-float(row[3]), row))
    write_table(path, [HEADING, *rows])
    return rows


def pairs(exercise: Exercise, students: Mapping[str, Path], threshold: float) -> Iterator[list[str]]:
    known = {student: found for student, place in students.items() if (found := runs_of_file(exercise, place))}
    ours = runs(nodes(live_source(exercise), exercise.targets))
    for (student, mine), (other, theirs) in combinations(known.items(), 2):
        if (alike := likeness(mine, theirs)) >= threshold:
            library = min(likeness(mine, ours), likeness(theirs, ours))
            size = min(mine.total(), theirs.total()) + RUN - 1
            yield [exercise.name, student, other, f"{alike:.2f}", f"{library:.2f}", str(size)]


def runs_of_file(exercise: Exercise, place: Path) -> Runs | None:
    """None for what cannot be read, is not written, or is too short to say anything."""
    try:
        file = file_of(place, exercise)
        found = nodes(read_submission(file), exercise.targets) if file else []
    except (UnreadableSourceError, OSError, RecursionError):
        return None
    return runs(found) if len(found) >= SHORTEST else None


def nodes(source: str, targets: Sequence[str]) -> list[str]:
    """The bodies' nodes in the order of reading; what is still a stub is no one's work."""
    tree = parse(source)
    pairs = [pair for target in targets for pair in functions(find(tree, target), target)]
    written = [function for _, function in pairs if not is_empty(function)]
    return [word for function in written for statement in statements(function) for word in words(statement)]


def words(node: ast.AST) -> Iterator[str]:
    """A node and all below it. Attributes, constants and operators stay: what is computed is in them."""
    match node:
        case ast.Attribute(attr=name):
            yield f".{name}"
        case ast.Constant(value=value):
            yield repr(value)
        case ast.keyword(arg=name):
            yield f"{name}="
        case ast.Load() | ast.Store() | ast.Del():
            return
        case _:
            yield type(node).__name__
    for child in ast.iter_child_nodes(node):
        yield from words(child)


def runs(found: Sequence[str]) -> Runs:
    return Counter(tuple(found[start : start + RUN]) for start in range(len(found) - RUN + 1))


def likeness(first: Runs, second: Runs) -> float:
    """0 to 1: the runs that both have, of all that either has."""
    either = (first | second).total()
    return (first & second).total() / either if either else 0.0
