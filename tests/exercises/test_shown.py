"""What stands on a card beside the message: names of tests, calls and warnings that a student can read and try."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from lessons.exercises.catalogue import get
from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.diagnosis.refusal import text
from lessons.exercises.diagnosis.show import row_text
from lessons.exercises.filling import Filled
from lessons.exercises.grading.beside_student import PYTEST
from lessons.exercises.grading.check import Grader
from lessons.exercises.grading.recorder import Recorder, StudentFile, readable
from lessons.exercises.source import LIBRARY
from lessons.exercises.stub import live_source
from lessons.exercises.student.wording import test_in_words as in_words

GRADERS = sorted((Path(__file__).parent / "graders").glob("test_*.py"))
DEBRIS = re.compile(r"(^|, )[a-z_]+\d+(?=[,\]])|\d{8}|object at|tensor\(|[;<>]")
"""What pytest makes of a value that has no short text, and numbers of more digits than anybody reads."""


class Names:
    """A plugin that keeps the names of the tests that are there."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.found += [readable(item.nodeid) for item in items]


def test_a_test_of_several_inputs_says_which():
    names = Names()
    recorder = Recorder(StudentFile("", Filled("")), CallLog())
    pytest.main([*PYTEST, f"--rootdir={LIBRARY}", "--collect-only", *map(str, GRADERS)], plugins=[recorder, names])

    with_inputs = [in_words(name) for name in names.found if "[" in name]
    assert len(with_inputs) > 100
    assert "a query sees itself and what was before [length 3, past 2]" in with_inputs
    assert "a mask of any shape that broadcasts is lengthened [shape (1, 1, 1, 5)]" in with_inputs
    assert "impossible steps are refused [step 0, warmup 10]" in with_inputs
    assert [name for name in with_inputs if DEBRIS.search(name.partition("[")[2])] == []


@pytest.mark.parametrize("grader", GRADERS, ids=lambda path: path.stem)
def test_what_must_be_refused_is_shown_as_a_call_of_the_students_and_never_of_a_helper(grader):
    tree = ast.parse(grader.read_text())
    helpers = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.decorator_list}
    called = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and "assert_refused" in ast.dump(node.func)
    ]

    assert [each.id for each in called if isinstance(each, ast.Name) and each.id in helpers] == []


def test_a_refused_call_has_the_names_of_its_arguments_and_its_object():
    @dataclass
    class Asked:
        ids: tuple[int, ...]

        def start(self, model):
            pass

    assert text(Asked((3, 17)).start, (2,), {}).endswith("Asked(ids=(3, 17)).start(model=2)")


def test_a_result_that_no_call_gave_is_shown_without_one():
    @dataclass
    class Kept:
        codes: torch.Tensor

    def kept(size):
        return Kept(torch.zeros(size))

    log = CallLog()
    watched = log.remembering(kept, "kept")
    first, _ = watched(2), watched(3)

    assert log.gave(first.codes) == "kept(size=2)"
    assert log.gave(first.codes + 1) == ""


def test_whole_numbers_have_no_digits_behind_a_point():
    import numpy as np

    assert row_text(np.array([243.0, 7.0]), 0).split() == ["243", "7"]


@pytest.mark.slow
def test_a_warning_is_one_line_with_no_path_of_torchs_own():
    source = live_source(get("split_heads")).replace(
        "return rearrange(x, ",
        "x.T  # noqa\n        import warnings\n        warnings.warn('look here')\n        return rearrange(x, ",
        1,
    )

    result = Grader().check(get("split_heads"), source)

    assert "Triggered internally" not in result.printed
    assert "UserWarning: The use of `x.T`" in result.printed
    assert re.search(r"UserWarning: look here \(your file, line \d+\)$", result.printed, re.MULTILINE)
    assert "/" not in result.printed
