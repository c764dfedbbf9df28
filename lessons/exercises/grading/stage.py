"""Running something on a student's own code: their files in the library's place, behind the same wall as a check."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lessons.exercises.exercise import Exercise
from lessons.exercises.grading import tree
from lessons.exercises.grading.result import clean
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.milestones.plan import Run
from lessons.exercises.source import LIBRARY

CODE = ("__init__.py", "exercises/probes", "exercises/milestones", "task", "preferences", "clinic", "language")
FILES = ("data", "base", "adapters", "task/learning_rates.json")
SECONDS = 240.0
"""Of processor time: a milestone takes less than a minute of a quiet core."""

MEMORY = 4 << 30
"""Bytes: a milestone trains the base, for which a check's own limit leaves no room."""

LONGEST_WAIT = 1800.0


@dataclass(frozen=True)
class Performance:
    """What was shown; or why nothing could be. `calls` says how often each exercise's functions ran.

    Like a result's, every text comes from a student's process and is clean afterwards.
    """

    lines: list[str] = field(default_factory=list)
    problem: str = ""
    calls: Mapping[str, int] = field(default_factory=dict)
    without_wall: str = ""


def perform(server: Forkserver, run: Run, texts: Mapping[str, str], exercises: Iterable[Exercise]) -> Performance:
    """Runs it with these modules in place of the library's. Never raises for what a file does.

    `texts`       module → its whole text
    `exercises`   those whose functions are counted
    """
    chosen = list(exercises)
    folder = Path(tempfile.mkdtemp(prefix="exercise-")).resolve()
    try:
        targets = {module: [t for each in chosen if each.module == module for t in each.targets] for module in texts}
        job: dict[str, Any] = {"kind": "many", "scratch": str(build(folder, texts)), "targets": targets}
        job |= {"function": run.function, "given": dict(run.given), "only_behind_wall": False}
        job |= {"seconds": SECONDS, "memory": MEMORY}
        reply = server.run(job, LONGEST_WAIT)
    except (TimeoutError, ConnectionError) as problem:
        return Performance(problem=f"it did not finish: {problem}")
    finally:
        tree.remove(folder)
    return performance(reply, chosen)


def performance(reply: Mapping[str, Any], exercises: Iterable[Exercise]) -> Performance:
    """What the process said, read with care: a student's file may have written it."""
    if problem := reply.get("error") or reply.get("ended"):
        return Performance(problem=clean(str(problem)))
    try:
        answer = json.loads(reply["answer"])
        counts = {str(name): int(times) for name, times in answer["calls"].items()}
        lines = [clean(str(line)) for line in answer.get("lines", ())]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Performance(problem="the process ended before it was done: a file must not end it (sys.exit, os._exit)")
    calls = {each.name: sum(counts.get(f"{each.module}:{target}", 0) for target in each.targets) for each in exercises}
    return Performance(lines, clean(str(answer.get("error", ""))), calls, str(reply.get("without", "")))


def build(folder: Path, texts: Mapping[str, str]) -> Path:
    """The scratch tree of a check, with several files in it, and with the task's words, base and adapters."""
    first = next(iter(texts))
    scratch = tree.laid_out(folder, first, texts[first], tests=())
    for part in CODE:
        if (LIBRARY / "lessons" / part).exists():
            tree.copy(LIBRARY / "lessons" / part, scratch / "lessons" / part)
    for part in FILES:
        origin, place = LIBRARY / "lessons" / part, scratch / "lessons" / part
        if origin.is_dir():
            shutil.copytree(origin, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy2(origin, place)
    for module, text in texts.items():
        scratch.joinpath(*module.split(".")).with_suffix(".py").write_text(text, encoding="utf-8")
    tree.bring_compiled(scratch)
    return scratch
