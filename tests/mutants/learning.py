"""Which test runs which lines: learned by running every test once, and kept until a file changes.

A test that fails here, or that measures time, says nothing about a mutant and is left out.
"""

import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.mutants.swap import PACKAGES

Lines = dict[str, list[int]]
MEASURES_TIME = ("perf_counter", "monotonic(", "process_time", "getrusage")


class Tracer:
    """The lines of our packages that ran while it was on."""

    def __init__(self, root: Path):
        self.names = {
            str(path): str(path.relative_to(root)) for package in PACKAGES for path in (root / package).rglob("*.py")
        }
        self.seen: dict[str, set[int]] = {}

    def called(self, frame, event, argument):
        if frame.f_code.co_filename not in self.names:
            return None
        return self.line(frame, event, argument)

    def line(self, frame, event, argument):
        self.seen.setdefault(frame.f_code.co_filename, set()).add(frame.f_lineno)
        return self.line

    def lines(self) -> Lines:
        return {self.names[file]: sorted(lines) for file, lines in self.seen.items()}

    @contextmanager
    def on(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self.called)
        try:
            yield
        finally:
            sys.settrace(before)


class SharedFixtures:
    """What ran for a fixture that several tests share counts for each of them."""

    def __init__(self, root: Path):
        self.root, self.lines = root, {}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        if fixturedef.scope == "function":
            return (yield)
        tracer = Tracer(self.root)
        with tracer.on():
            result = yield
        self.lines[fixturedef] = tracer.lines()
        return result

    def of(self, item: pytest.Item) -> list[Lines]:
        found = [defs[-1] for defs in item._fixtureinfo.name2fixturedefs.values()]
        return [self.lines[one] for one in found if one in self.lines]


def learned(session: pytest.Session, items: list[pytest.Item], root: Path) -> dict[str, dict]:
    """Of every test its seconds and its lines, or None where it is of no use."""
    shared = SharedFixtures(root)
    session.config.pluginmanager.register(shared)
    known: dict[str, dict] = {}
    for number, item in enumerate(items):
        tracer, failed, begun = Tracer(root), session.testsfailed, processor_seconds()
        with tracer.on():
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=(*items, None)[number + 1])
        seconds = processor_seconds() - begun
        lines = together([tracer.lines(), *shared.of(item)])
        usable = session.testsfailed == failed and not measures_time(item)
        known[item.nodeid] = {"seconds": round(seconds, 4), "lines": lines if usable else None}
    return known


def processor_seconds() -> float:
    """Those of this process and of the children that it has waited for: a test may have all its work done by one."""
    return sum(os.times()[:4])


def measures_time(item: pytest.Item) -> bool:
    return any(word in inspect.getsource(item.function) for word in MEASURES_TIME)


def together(several: list[Lines]) -> Lines:
    files = {file for lines in several for file in lines}
    return {file: sorted({line for lines in several for line in lines.get(file, ())}) for file in files}
