"""The mutation tool: it makes the mistakes that it promises, each of them valid, and puts them into a running function."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

from quant import blockwise
from tests.mutants import pool
from tests.mutants.changes import Mutant, mutants
from tests.mutants.depending import depending
from tests.mutants.keeping import RESULT, Answers, equivalents, kept_letters, product
from tests.mutants.learning import processor_seconds
from tests.mutants.nearest import Nearest, cases_apart, distance
from tests.mutants.swap import Functions

ROOT = Path(__file__).resolve().parents[2]
SOURCE = '''
def f(x, y=2, *, flag=True):
    """A docstring is left alone."""
    if x < 0:
        raise ValueError(f"{x + 1} is left alone")
    x.scale = g(x.clone(), factor=y - 1)
    return sorted(x) if flag and y else -x
'''


@cache
def mutants_of(file: str) -> list[Mutant]:
    return mutants(file, (ROOT / file).read_text())


def test_every_kind_of_mistake_is_made():
    names = [mutant.name.partition(": ")[2] for mutant in mutants("a.py", SOURCE)]

    assert len(set(names)) == len(names)
    for wanted in (
        "2 → (3)",
        "True → (False)",
        "x < 0 → (x <= 0)",
        "x.clone() → (x)",
        "y - 1 → (y + 1)",
        "g(x.clone(), factor=y - 1) → (g(x.clone()))",
        "x.scale = g(x.clone(), factor=y - 1) → pass",
        "flag and y → (flag or y)",
        "sorted(x) → (x)",
        "sorted(x) if flag and y else -x → (-x)",
        "-x → (x)",
    ):
        assert wanted in names
    assert not any("docstring" in name or "x + 1 →" in name for name in names)


def test_a_mutant_of_a_function_runs_in_place_and_the_default_waits_for_an_import():
    file = "quant/blockwise.py"
    source = (ROOT / file).read_text()
    functions = Functions(ROOT)
    before = {one: one.__code__ for several in functions.by_code.values() for one in several}
    swapped = [mutant for mutant in mutants(file, source) if mutant.function][:3]

    try:
        assert all(functions.swap(mutant) for mutant in swapped[:1])
        assert any(function.__code__ is not code for function, code in before.items())
    finally:
        for function, code in before.items():
            function.__code__ = code
    assert blockwise.__name__ == "quant.blockwise"


@pytest.fixture(scope="module")
def every() -> list[Mutant]:
    """Of the whole product."""
    return [mutant for name in product([]) for mutant in mutants_of(name)]


@pytest.mark.slow
def test_what_is_judged_equivalent_is_still_a_mutant(every):
    judged = equivalents()

    assert judged
    assert set(judged) <= {mutant.name for mutant in every}


def test_a_child_is_ended_by_its_processor_time_and_a_waiting_one_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PATIENCE", 3)

    def spins(_: str) -> str:
        while True:
            pass

    def waits(_: str) -> str:
        time.sleep(60)
        return "never"

    def dies(_: str) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"

    for do, answer in ((spins, pool.TIMED_OUT), (waits, pool.TIMED_OUT), (dies, pool.DIED), (str.upper, "DONE")):
        began = time.process_time()
        assert [found for _, found, _ in pool.forked(["done"], do, lambda _: 0.3, 1)] == [answer]
        assert time.process_time() - began < 1.0


def test_a_test_that_lets_a_child_work_costs_what_the_child_costs() -> None:
    began = processor_seconds()

    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)

    assert processor_seconds() - began > 0.1


def test_what_runs_at_import_is_asked_of_the_tests_that_run_what_depends_on_it() -> None:
    source = 'MOST, LEAST = 3, 1\n\ndef f(x,\n    y=2):\n    """Of x."""\n    if x > MOST:\n        return y\n    return LEAST\n'

    assert depending(source, 1) == {6, 8}
    assert depending(source, 4) == {5, 6, 7, 8}
    assert depending(source, 6) == set()


def test_tests_are_near_by_their_names_and_then_by_their_folders() -> None:
    file = "transformer/pretrained/gguf/blocks.py"
    tests = ("pretrained/test_gguf_blocks", "pretrained/test_load", "transformer/test_model", "peft/test_lora")

    near = [distance(file, Path("tests") / f"{test}.py") for test in tests]

    assert near == [0, *sorted(set(near[1:]))]
    assert distance("transformer/config_checks.py", Path("tests/transformer/test_config.py")) == 0


def test_the_test_that_goes_into_a_branch_is_asked_about_its_condition_first() -> None:
    source = "def f(x):\n    if x < 0:\n        raise ValueError(x)\n    return x\n"
    mutant = next(each for each in mutants("transformer/f.py", source) if each.old == "x < 0")
    quick = {f"tests/transformer/test_f.py::test_{number}": [1, 2, 4] for number in range(9)}
    known = {name: {"seconds": 0.0, "lines": {"transformer/f.py": lines}} for name, lines in quick.items()}
    known["tests/transformer/test_bad_input.py::test"] = {"seconds": 1.0, "lines": {"transformer/f.py": [1, 2, 3]}}

    assert Nearest(known, {}).tests(mutant, 9.0)[0] == "tests/transformer/test_bad_input.py::test"


def test_other_tests_are_asked_before_further_cases_of_one() -> None:
    names = ["a.py::one[1]", "a.py::one[2]", "a.py::one[3]", "a.py::other[1]", "b.py::third"]
    assert cases_apart(names) == ["a.py::one[1]", "a.py::other[1]", "b.py::third", "a.py::one[2]", "a.py::one[3]"]


def test_a_run_begins_with_what_is_kept_of_functions_that_are_as_they_were(tmp_path: Path):
    files = {"a.py": SOURCE, "b.py": SOURCE.replace("x < 0", "x < 3")}
    every = [mutant for file, source in files.items() for mutant in mutants(file, source)]
    first, again = (Answers(tmp_path / name, files) for name in ("first", "again"))
    for mutant, answer in zip(every, ("killed tests/a.py::test", "survived", "timed out", "cold"), strict=False):
        first.note(mutant, answer)

    again.begin(every, first.letters(every))

    assert [again.of(mutant) for mutant in every[:5]] == ["killed", "survived", "killed", "", ""]
    changed = files | {"a.py": SOURCE.replace("y - 1", "y - 4")}
    other = Answers(tmp_path / "other", changed)
    other.begin([m for file, source in changed.items() for m in mutants(file, source)], first.letters(every))
    assert not any(other.known.values())


@pytest.mark.slow
def test_most_of_what_is_kept_is_of_the_functions_as_they_are(every):
    sources = {name: (ROOT / name).read_text() for name in product([])}
    asked = Answers(Path("nowhere"), sources).by_function(every)

    assert len(asked.keys() & kept_letters().keys()) > 0.8 * len(asked)


def test_nearly_all_was_asked_and_nearly_all_of_that_is_seen():
    kept = json.loads(RESULT.read_text())

    assert kept["score"] > 0.98
    assert kept["all"].get("unasked", 0) < 0.02 * kept["all"]["mutants"]
    assert len(kept["survivors"]) == kept["all"]["survived"]
