"""Every function to write says what is wanted of it: a docstring, types and shapes, and what is refused."""

import ast
import re

import pytest

from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.exercise import Exercise
from lessons.exercises.helpers import helpers
from lessons.exercises.source import LIBRARY, find, functions, parse
from lessons.exercises.stub import live_source, stub_of

EXERCISES = all_exercises()


def bodies(exercise: Exercise) -> list[tuple[str, ast.FunctionDef]]:
    tree = parse(live_source(exercise))
    return [pair for target in exercise.targets for pair in functions(find(tree, target), target)]


@pytest.mark.parametrize("name", EXERCISES)
def test_every_function_to_write_has_a_docstring_and_types(name):
    for called, function in bodies(EXERCISES[name]):
        assert ast.get_docstring(function), f"{called} has no docstring"
        untyped = [argument.arg for argument in function.args.args if argument.annotation is None]
        assert set(untyped) <= {"self", "ctx"}, f"{called}: {untyped} have no type"
        assert function.returns is not None, f"{called} does not say what it gives back"


@pytest.mark.parametrize("name", EXERCISES)
def test_what_a_grader_wants_refused_is_said(name):
    (grader,) = EXERCISES[name].tests
    text = (LIBRARY / grader).read_text()
    said = " ".join(ast.get_docstring(function) or "" for _, function in bodies(EXERCISES[name]))

    if "assert_refused(" in text:
        assert re.search("Raises (ValueError|TypeError)|(TypeError or )?ValueError (for|where)", said), (
            f"{name}: {said}"
        )


def test_no_grader_asks_for_the_words_of_an_error():
    for exercise in EXERCISES.values():
        (grader,) = exercise.tests
        assert "match=" not in (LIBRARY / grader).read_text(), grader


def test_no_assert_of_a_grader_is_without_words():
    """pytest's own words, `assert False`, are not shown."""
    for exercise in EXERCISES.values():
        (grader,) = exercise.tests
        silent = [
            node.lineno
            for node in ast.walk(ast.parse((LIBRARY / grader).read_text()))
            if isinstance(node, ast.Assert) and node.msg is None
        ]
        assert not silent, f"{grader}: lines {silent}"


def test_a_stub_says_the_signatures_of_what_its_solution_uses():
    lines = helpers(live_source(get("lora")), get("lora").targets)

    at = lines.index("product(up: nn.Linear, down: nn.Linear, scaling: float) -> Float[Tensor,")
    assert lines[at + 1 : at + 3] == ['        "d_out d_in"]', "    s · B A"]
    assert f"# You may use\n#   {lines[0]}\n" in stub_of(get("lora"))


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("lora", ["self.lora_A, self.lora_B = new_factors(", "self.scaling = ", "self.dropout = ", "self.base = base"]),
        ("encoder_layer", ["self.self_attention(query: ", "self.self_attention_norm(x: ", "self.feed_forward(x: "]),
        ("prefix_tuning", ["self.base = base"]),
        ("add_norm", ["self.dropout(x: "]),
    ],
)
def test_a_stub_says_what_self_holds_that_its_file_does_not_explain(name, held):
    text = stub_of(get(name))

    assert not [line for line in held if f"#   {line}" not in text]


def test_nothing_that_a_stub_says_is_cut_off():
    for exercise in EXERCISES.values():
        for line in helpers(live_source(exercise), exercise.targets):
            assert not line.endswith(" ..."), f"{exercise.name}: {line}"
            assert len(line) <= 76, f"{exercise.name}: {line}"
