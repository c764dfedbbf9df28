"""What a notebook's cell has defined, as text, with what else of the notebook it uses."""

import ast
import inspect
import linecache
import types
from typing import Any

from lessons.exercises.source import definition_text, parse


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
