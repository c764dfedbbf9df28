"""Our lines beside several files of a student's at once, or one: they run something, and count how often theirs is called.

What comes back is shown to the student and judged by nobody.
"""

import functools
import importlib
import inspect
import json
import os
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lessons.exercises.grading import wire
from lessons.exercises.grading.beside_student import enter, write
from lessons.exercises.grading.recorder import LONGEST_MESSAGE

ROOM = "lessons.exercises.milestones"


def run_many(
    scratch: Path,
    question: int,
    answer: int,
    targets: Mapping[str, Sequence[str]],
    function: str,
    given: dict[str, Any],
) -> None:
    """Answers with JSON: {"lines": [...], "calls": {"module:target": times}} or {"error": ...}.

    `targets`    module → the functions of the student's in it
    `function`   "speaking.tomato" of lessons/exercises/milestones/, which gives back lines
    """
    enter(scratch, next(iter(targets)), ())
    calls: Counter[str] = Counter()
    try:
        for module in targets:
            importlib.import_module(module)
        for module, names in targets.items():
            for name in names:
                count(sys.modules[module], name, calls)
        topic, _, name = function.partition(".")
        lines = getattr(importlib.import_module(f"{ROOM}.{topic}"), name)(**given)
        reply: dict[str, Any] = {"lines": list(map(str, lines)), "calls": calls}
    except BaseException as error:  # a student's file may raise anything, SystemExit too
        reply = {"error": told(error, scratch), "calls": calls}
    write(answer, wire.READY + json.dumps(reply).encode())


def count(module: types.ModuleType, target: str, calls: Counter[str]) -> None:
    """From now on every call of this function or method is counted, by whatever name it was imported."""
    *path, name = target.split(".")
    holder = functools.reduce(getattr, path, module)
    kept = inspect.getattr_static(holder, name)
    function = getattr(kept, "__func__", kept)
    if isinstance(function, property):
        setattr(holder, name, property(counted(function.fget, f"{module.__name__}:{target}", calls)))
        return
    now = counted(function, f"{module.__name__}:{target}", calls)
    setattr(holder, name, type(kept)(now) if isinstance(kept, staticmethod | classmethod) else now)
    for other in list(sys.modules.values()) if not path else ():
        for known, value in list(vars(other).items()) if isinstance(other, types.ModuleType) else ():
            if value is function:
                setattr(other, known, now)


def counted(function: Callable[..., Any] | None, name: str, calls: Counter[str]) -> Callable[..., Any]:
    @functools.wraps(function or count)
    def called(*given: Any, **named: Any) -> Any:
        calls[name] += 1
        return function(*given, **named) if function else None

    return called


def told(error: BaseException, scratch: Path) -> str:
    """The error, and the last line of our packages in which it came out."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(scratch))]
    where = f" ({Path(frames[-1].filename).name}, {frames[-1].name}: {frames[-1].line})" if frames else ""
    text = f"{type(error).__name__}: {error}{where}"
    return text[:LONGEST_MESSAGE].replace(str(scratch) + os.sep, "")
