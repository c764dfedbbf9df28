"""The warm process: everything is imported and every test collected once; each mutant is then a fork that runs its tests."""

import gc
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.mutants.changes import Mutant
from tests.mutants.learning import Tracer, learned
from tests.mutants.nearest import Nearest
from tests.mutants.pool import forked
from tests.mutants.swap import Functions, stand_in

FOLDERS = ("transformer", "peft", "quant", "rlhf", "pretrained", "exercises/graders")
TESTS = ("tests/test_defaults.py", "tests/bad_input/test_library.py", *(f"tests/{folder}" for folder in FOLDERS))
OPTIONS = ("-q", "-p", "no:cacheprovider", "--assert=plain", "--tb=no", "-m", "not slow and not parity")
SURVIVED, UNREACHED, COLD = "survived", "no test runs it", "cold"
Report = Callable[[Mutant, str], None]


class Warm:
    """A plugin of pytest that collects as usual and then, in place of running the tests, runs mutants."""

    def __init__(self, root: Path, folder: Path, mutants: Iterable[Mutant], report: Report, jobs: int, budget: float):
        self.root, self.folder, self.mutants, self.report = root, folder, list(mutants), report
        self.jobs, self.budget = jobs, budget
        self.imports = Tracer(root)

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self, session: pytest.Session):
        with self.imports.on():
            return (yield)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise pytest.UsageError("some tests could not be collected: python -m pytest says which")
        items = {item.nodeid: item for item in session.items}
        known = self.learn(session)
        nearest = Nearest(
            {name: known[name] for name in items if known[name]["lines"] is not None}, self.imports.lines()
        )
        nearest.write(self.folder / "nearest.json")
        functions = Functions(self.root)
        gc.freeze()
        base = session.config._tmp_path_factory.getbasetemp()

        def attempt(work: tuple[Mutant, list[str]]) -> str:
            mutant, names = work
            apart(session, base)
            if not functions.swap(mutant):
                return COLD
            return run(session, [items[name] for name in names])

        def limit(work: tuple[Mutant, list[str]]) -> float:
            return 10.0 + 4.0 * sum(known[name]["seconds"] for name in work[1])

        todo = ((mutant, nearest.tests(mutant, self.budget)) for mutant in self.mutants)
        for (mutant, names), answer, _ in forked(todo, attempt, limit, self.jobs):
            nearest.note(mutant, answer)
            if answer == SURVIVED and not names:
                answer = UNREACHED
            self.report(mutant, COLD if answer in (SURVIVED, UNREACHED) and nearest.at_import(mutant) else answer)
        return True

    def learn(self, session: pytest.Session) -> dict[str, dict]:
        """Of every test its seconds and lines; what an earlier run learned stays true while the files in it do."""
        file, base = self.folder / "learned.json", session.config._tmp_path_factory.getbasetemp()
        kept = json.loads(file.read_text()) if file.is_file() else {}
        parts = parts_of(session.items, self.root)
        known = {name: kept[name] for name in parts if name in kept and self.holds(kept[name]["marks"])}

        def run_once(work: tuple[str, list[pytest.Item]]) -> str:
            apart(session, base)
            found = self.folder / f"{digest(work[0])}.learned"
            found.write_text(json.dumps(learned(session, work[1], self.root)))
            return str(found)

        new = [(name, items) for name, items in parts.items() if name not in known]
        for (name, _), answer, seconds in forked(new, run_once, lambda _: 1800.0, self.jobs):
            print(f"learned {name} in {seconds:.1f} s", flush=True)
            if not Path(answer).is_file():
                raise RuntimeError(f"{name}: {answer} while its lines were learned")
            tests = json.loads(Path(answer).read_text())
            Path(answer).unlink()
            files = {name.partition(" ")[0], *(file for entry in tests.values() for file in entry["lines"] or ())}
            known[name] = {"marks": {one: digest(self.root / one) for one in files}, "tests": tests}
            file.write_text(json.dumps(kept | known))
        return {name: entry for part in parts for name, entry in known[part]["tests"].items()}

    def holds(self, marks: dict[str, str]) -> bool:
        """Whether files are still what they were."""
        return all((self.root / file).is_file() and digest(self.root / file) == mark for file, mark in marks.items())


def parts_of(items: list[pytest.Item], root: Path, size: int = 40) -> dict[str, list[pytest.Item]]:
    """The tests by their file, a long file in several parts."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[os.path.relpath(item.path, root)].append(item)
    return {
        f"{name} {start}-{min(len(those), start + size)}": those[start : start + size]
        for name, those in files.items()
        for start in range(0, len(those), size)
    }


def digest(*what: Path | str) -> str:
    return sha256(b"".join(one.read_bytes() if isinstance(one, Path) else one.encode() for one in what)).hexdigest()[
        :16
    ]


def apart(session: pytest.Session, base: Path) -> None:
    """A forked child's files lie in a folder of its own."""
    own = base / str(os.getpid())
    own.mkdir()
    session.config._tmp_path_factory._basetemp = own


def run(session: pytest.Session, items: list[pytest.Item]) -> str:
    """The first test that fails, or that none does."""
    for number, item in enumerate(items):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=(*items, None)[number + 1])
        if session.testsfailed:
            return f"killed {item.nodeid}"
    return SURVIVED


def cold(mutant: Mutant, names: list[str], root: Path) -> str:
    """For what no exchange of code reaches: in a fork of a process that has not imported us, import all anew and run."""
    stand_in(mutant, root)
    failed: list[str] = []

    class First:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            if report.failed:
                failed.append(f"import of {report.nodeid}")

    try:
        code = pytest.main([*OPTIONS, "-x", "-p", "no:xdist", *names], plugins=[First()])
    except BaseException as error:
        return f"killed import: {type(error).__name__}"
    return f"killed {failed[0] if failed else 'by the import'}" if code else SURVIVED
