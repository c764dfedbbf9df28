"""The code of a lesson is the code of the package: this shows it from the file that is run, never from a copy."""

import inspect
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

from lessons.teaching.showing import show


def show_source(*objects: Any) -> None:
    """Shows the source of functions, methods, classes or modules, each under the name of its file.

    Raises TypeError for what has no source of its own: a number, an instance, a function written in C.
    """
    for each in objects:
        file, code = source_of(each)
        show(f"# {file}\n{code}", f"`{file}`\n\n```python\n{code}\n```")


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
