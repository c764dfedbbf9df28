"""What a student should read of every test, and of what happens in their file. It runs in the same process as that file."""

import re
import sys
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.diagnosis.values import value_text
from lessons.exercises.filling import Filled

LONGEST_MESSAGE = 4000
TORCHS_OWN = re.compile(r"\s*\(Triggered internally at [^)]*\)")
"""Where in torch's own C++ a warning was raised: a path of the machine that it was built on."""


@dataclass(frozen=True)
class StudentFile:
    """Where the student's file lies, and which of its lines are not theirs."""

    path: str
    filled: Filled

    def line(self, number: int | None) -> int | None:
        return number and self.filled.own_line(number)


LONGEST_ID = 60
AND = ";"
"""Ends a value in a test's name; pytest puts a hyphen behind it, which a minus may follow."""


class Recorder:
    """A pytest plugin that keeps what a student should read of every test."""

    def __init__(self, file: StudentFile, log: CallLog):
        self.file, self.log = file, log
        self.results: list[dict[str, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_parametrize_id(self, val: Any, argname: str) -> str:
        """length 4, and not pytest's shape0. Words speak for themselves; what is long is known by its name alone."""
        text = val if isinstance(val, str) and val else value_text(val)
        if " " in text and isinstance(val, str):
            return f"{text}{AND}"
        return f"{argname} {text}{AND}" if len(text) <= LONGEST_ID else f"{argname}{AND}"

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
            self.results.append({"name": readable(item.nodeid), "outcome": report.outcome, **described})

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            message = str(report.longrepr)[-LONGEST_MESSAGE:]
            self.results.append({"name": report.nodeid, "outcome": "not collected", "message": message, "where": ""})


def readable(node: str) -> str:
    """test_x[length 4;-past 2;] → test_x[length 4, past 2]"""
    return node.replace(f"{AND}-", ", ").replace(f"{AND}]", "]")


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


def say_warnings_shortly(file: StudentFile) -> None:
    """From now on a warning is one line: what is said, and the line of the student's own that it speaks of."""

    def show(message: Warning | str, category: type[Warning], filename: str, line: int, *_: Any) -> None:
        said = TORCHS_OWN.sub("", str(message)).strip()
        own = file.line(line) if filename == file.path else None
        print(f"{category.__name__}: {said}{f' (your file, line {own})' if own else ''}", file=sys.stderr)

    warnings.showwarning = show  # type: ignore[assignment]
