"""The few lines of ours that run in the same process as a student's file.

Nothing that they say is believed when it matters (judge.py), and nobody but jobs.py, who starts them, imports them.
"""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch

from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.filling import Filled, Piece
from lessons.exercises.grading import wire
from lessons.exercises.grading.recorder import Recorder, StudentFile, describe, say_warnings_shortly, tried
from lessons.exercises.grading.tree import PACKAGES, installed
from lessons.exercises.probes import load_probe
from lessons.exercises.source import LIBRARY

PLUGINS_LEFT_OUT = "cacheprovider terminal warnings unraisableexception threadexception faulthandler".split()
PYTEST = [f"-pno:{name}" for name in PLUGINS_LEFT_OUT]
PYTEST += ["-s", "--assert=plain", "--import-mode=importlib", "--rootdir=.", "--confcutdir=.", "-c", os.devnull]


def run_tests(
    scratch: Path,
    question: int,
    answer: int,
    module: str,
    pieces: Sequence[Piece],
    tests: list[str],
    targets: list[str],
    first_failure_only: bool,
) -> None:
    """Answers with JSON: {"tests": [{"name", "outcome", "message", "where"}]} or {"import_error": ...}."""
    file = enter(scratch, module, pieces)
    log = CallLog()
    try:
        log.watch(importlib.import_module(module), targets)
    except BaseException as error:  # a student's file may raise anything, SystemExit too
        reply: dict[str, Any] = {"import_error": describe(error, file)}
    else:
        # Shapes are checked by the graders, whose messages say more; the library's own hook would speak first.
        jaxtyping.install_import_hook = lambda *_, **__: None
        # The public function imports torch's whole compiler.
        torch.use_deterministic_algorithms = torch._C._set_deterministic_algorithms
        recorder = Recorder(file, log)
        pytest.main([*PYTEST, *(["--exitfirst"] if first_failure_only else []), *tests], plugins=[recorder])
        reply = {"tests": recorder.results}
    write(answer, wire.READY + json.dumps(reply).encode())


def run_probe(
    scratch: Path, question: int, answer: int, module: str, pieces: Sequence[Piece], targets: list[str], probe: str
) -> None:
    """Loads the file, then asks for seeds, then answers with the tensors that the probe makes of each."""
    file = enter(scratch, module, pieces)
    log = CallLog()
    try:
        log.watch(importlib.import_module(module), targets)
        function = load_probe(probe)
        write(answer, wire.READY)
        replies = [wire.pack(function(seed)) for seed in json.loads(os.read(question, 4096))]
    except BaseException as error:
        described = describe(error, file)
        where = f"\nyour file, {described['where']}" if described["where"] else ""
        replies = [wire.pack_error(described["message"] + where + tried(error, log))]
    write(answer, wire.READY + wire.join(replies))


def enter(scratch: Path, module: str, pieces: Sequence[Piece]) -> StudentFile:
    """From here on `import transformer` finds the scratch folder."""
    ours = (*PACKAGES, "lessons", "tests")
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
    sys.path[:] = [str(scratch), *(entry for entry in sys.path if Path(entry).resolve() != LIBRARY or installed())]
    importlib.invalidate_caches()
    file = StudentFile(str(scratch.joinpath(*module.split(".")).with_suffix(".py")), Filled("", pieces))
    say_warnings_shortly(file)
    return file


def write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
