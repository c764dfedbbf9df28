"""The code of a lesson is the code of the package: this shows it from the file that is run, never from a copy."""

import inspect
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.exercise import Exercise
from lessons.teaching.said import KEY, record
from lessons.teaching.showing import show

FOLDED = "{file}: the answer of the exercise “{title}”. First try, then look."


def show_source(*objects: Any) -> None:
    """Shows the source of functions, methods, classes or modules, each under the name of its file.

    In a notebook, what an exercise asks for is folded. Raises TypeError for what has no source of its own: a number, an
    instance, a function written in C.
    """
    for each in objects:
        file, code = source_of(each)
        block = f"```python\n{code}\n```"
        exercise = asked_by(each)
        folded = FOLDED.format(file=file, title=exercise.title) if exercise else ""
        rich = f"<details><summary>{folded}</summary>\n\n{block}\n\n</details>" if folded else f"`{file}`\n\n{block}"
        named = {"file": file, "title": exercise.title} if exercise else {"file": file}
        show(f"# {file}\n{code}", rich, metadata={KEY: record("show_source", [], named)})


def asked_by(shown: Any) -> Exercise | None:
    """The exercise that asks for this function, or for a method of this class, or for anything in this module."""
    if isinstance(shown, property):
        shown = shown.fget
    module, name = getattr(shown, "__module__", None), getattr(shown, "__qualname__", "")
    if isinstance(shown, types.ModuleType):
        module = shown.__name__
    for exercise in all_exercises().values():
        targets = [target for target in exercise.targets if not name or f"{target}.".startswith(f"{name}.")]
        if exercise.module == module and targets:
            return exercise
    return None


def source_of(shown: Any) -> tuple[str, str]:
    """(file from the root of its package, text). Wrapped functions and properties give what they wrap."""
    if isinstance(shown, property):
        shown = shown.fget
    if not isinstance(shown, types.ModuleType):
        shown = inspect.unwrap(shown)
    try:
        code, file = inspect.getsource(shown), inspect.getsourcefile(shown)
    except (TypeError, OSError) as error:
        raise TypeError(f"{shown!r} has no source to show: give a function, a class or a module") from error
    return _from_root(shown, file or ""), textwrap.dedent(code).strip("\n")


def _from_root(shown: Any, file: str) -> str:
    module = inspect.getmodule(shown)
    top = sys.modules.get(module.__name__.partition(".")[0]) if module else None
    if top is None or not top.__file__ or not hasattr(top, "__path__"):
        return Path(file).name
    root = Path(top.__file__).parent.parent
    return Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else Path(file).name
