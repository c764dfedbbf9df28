"""The few lines of ours that run in the same process as a student's file.

Nothing that they say is believed when it matters (judge.py), and nobody but jobs.py, who starts them, imports them.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import torch

from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.filling import Filled, Piece
from lessons.exercises.grading import wire
from lessons.exercises.grading.tree import PACKAGES, installed
from lessons.exercises.probes import load_probe
from lessons.exercises.source import LIBRARY

LONGEST_MESSAGE = 4000
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


@dataclass(frozen=True)
class StudentFile:
    """Where the student's file lies, and which of its lines are not theirs."""

    path: str
    filled: Filled

    def line(self, number: int | None) -> int | None:
        return number and self.filled.own_line(number)


def enter(scratch: Path, module: str, pieces: Sequence[Piece]) -> StudentFile:
    """From here on `import transformer` finds the scratch folder."""
    ours = (*PACKAGES, "lessons", "tests")
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
    sys.path[:] = [str(scratch), *(entry for entry in sys.path if Path(entry).resolve() != LIBRARY or installed())]
    importlib.invalidate_caches()
    path = scratch.joinpath(*module.split(".")).with_suffix(".py")
    return StudentFile(str(path), Filled("", pieces))


def write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class Recorder:
    """A pytest plugin that keeps what a student should read of every test."""

    def __init__(self, file: StudentFile, log: CallLog):
        self.file, self.log = file, log
        self.results: list[dict[str, Any]] = []

    def pytest_runtest_call(self) -> None:
        self.log.calls.clear()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Any:
        report = (yield).get_result()
        if report.when == "call" or report.failed:
            error = call.excinfo.value if call.excinfo else None
            described = describe(error, self.file) if report.failed and error else {"message": "", "where": ""}
            if report.failed and error:
                described["message"] += tried(error, self.log)
            self.results.append({"name": item.nodeid, "outcome": report.outcome, **described})

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            message = str(report.longrepr)[-LONGEST_MESSAGE:]
            self.results.append({"name": report.nodeid, "outcome": "not collected", "message": message, "where": ""})


def tried(error: BaseException, log: CallLog) -> str:
    """With what it was called, so that it can be tried."""
    actual = getattr(error, "actual", None)
    if str(error).startswith("refused:") or not (call := log.told(actual)):
        return ""
    return f"\nthe call: {call}"


def describe(error: BaseException, file: StudentFile) -> dict[str, str]:
    """What is wrong in words, and the line of the student's own in which it came out."""
    text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file.path]
    own = [(number, frame.line) for frame in frames if (number := file.line(frame.lineno))]
    if isinstance(error, SyntaxError):
        where = f"line {file.line(error.lineno)}: {(error.text or '').strip()}"
    else:
        where = f"line {own[-1][0]}: {own[-1][1]}" if own else ""
    return {"message": text[:LONGEST_MESSAGE].replace(file.path, Path(file.path).name), "where": where}
