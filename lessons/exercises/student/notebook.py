"""`check` for a notebook: grades what a cell has defined, by its source and by the same path as a file.

    from lessons import check
    check("layer_norm", LayerNorm)

The definition stands in the module's place of the same name. What else it uses of the notebook (imports, helpers,
numbers) goes with it.
"""

import ast
import inspect
import linecache
import types
from functools import cache
from typing import Any

from lessons.exercises.catalogue import get
from lessons.exercises.exercise import Exercise
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.tree import PACKAGES
from lessons.exercises.source import definition_text, parse, replace_definition
from lessons.exercises.stub import live_source
from lessons.exercises.student.wording import WITHOUT_WALL, Card
from lessons.exercises.student.workbook import nearest_workbook


@cache
def grader() -> Grader:
    """One for the whole notebook: after the first check its process is warm."""
    return Grader()


def check(name: str, *definitions: Any) -> Card:
    """Grades functions or classes that the notebook has defined. Raises ValueError for what cannot be graded.

    How it ends is kept in the workbook, as in the terminal.
    """
    exercise = get(name)
    for definition in definitions:
        if (getattr(definition, "__module__", None) or "").partition(".")[0] in PACKAGES:
            raise ValueError(f"{definition.__qualname__} is the library's own: define yours in a cell")
    result = grader().check(exercise, spliced(exercise, definitions))
    book = nearest_workbook()
    book.keep(exercise, result)
    if grader().without_wall and book.first_time(WITHOUT_WALL):
        print(f"{WITHOUT_WALL} ({grader().without_wall})")
    return Card(result)


def spliced(exercise: Exercise, definitions: tuple[Any, ...]) -> str:
    """The module's source with the definitions in it. They are found by name among what the exercise asks for."""
    wanted = asked_for(exercise)
    given = {getattr(definition, "__name__", repr(definition)): definition for definition in definitions}
    if missing := [each for each in wanted if each not in given]:
        raise ValueError(
            f"{exercise.name} is about {', '.join(missing)}: check({exercise.name!r}, {', '.join(wanted)})"
        )
    source = live_source(exercise)
    known = top_level_names(parse(source))
    for each in wanted:
        parts = needed_by(given[each], known | set(wanted), {})
        source = replace_definition(source, each, "\n".join([*parts, cell_source(given[each])]))
    return source


def asked_for(exercise: Exercise) -> list[str]:
    """The functions and classes that a cell must define."""
    return list(dict.fromkeys(target.partition(".")[0] for target in exercise.targets))


def cell_source(definition: Any) -> str:
    """The text of a function or class as the cell has it."""
    code = code_of(definition)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        raise ValueError(f"the source of {definition.__name__} is not to be found: define it in a cell or a file")
    return definition_text("".join(lines), definition.__name__)


def code_of(definition: Any) -> types.CodeType:
    return function_of(definition).__code__


def function_of(definition: Any) -> types.FunctionType:
    """The function itself, under its decorators, or any function of a class: both know their cell."""
    if isinstance(definition, types.FunctionType):
        return inspect.unwrap(definition)
    for member in vars(definition).values() if isinstance(definition, type) else ():
        member = inspect.unwrap(getattr(member, "__func__", member))
        if isinstance(member, types.FunctionType) and member.__module__ == definition.__module__:
            return member
    raise ValueError(f"{definition!r} is no function and no class with a method of its own")


def needed_by(definition: Any, known: set[str], done: dict[str, str]) -> list[str]:
    """Lines that make the notebook's other names known: imports, constants, and helpers with what they need."""
    globals_of_cell = function_of(definition).__globals__
    for node in ast.walk(parse(cell_source(definition))):
        if not isinstance(node, ast.Name) or node.id not in globals_of_cell or node.id in done:
            continue
        value = globals_of_cell[node.id]
        from_cell = getattr(value, "__module__", None) == function_of(definition).__module__
        if node.id in known and not from_cell:
            continue
        if from_cell and isinstance(value, types.FunctionType | type):
            if node.id not in known:
                done[node.id] = ""
                needed_by(value, known, done)
                done[node.id] = cell_source(value)
        elif line := how_to_get(node.id, value):
            done[node.id] = line
    return [line for line in done.values() if line]


def how_to_get(name: str, value: Any) -> str:
    """One line that gives the name its value again, or nothing if there is none."""
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}"
    origin, own_name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if origin and own_name.isidentifier():
        return f"from {origin} import {own_name} as {name}"
    return f"{name} = {value!r}" if isinstance(value, int | float | str | bool | tuple | type(None)) else ""


def top_level_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names
