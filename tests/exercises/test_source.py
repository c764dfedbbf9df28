"""Cutting stubs out of source, and seeing whether a student has touched one."""

import ast

import pytest

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.source import UnreadableSourceError, attempted, find, parse, replace_definition, without_bodies
from lessons.exercises.stub import live_source, stub_of

SOURCE = '''"""A module."""

import math


class Circle:
    """Round."""

    def area(self, radius: float) -> float:
        """π r²"""
        # The answer in a comment: math.pi
        squared = radius**2
        return math.pi * squared

    def perimeter(
        self,
        radius: float,
    ) -> float:
        # twice
        return 2 * math.pi * radius


def after() -> int:
    return 1
'''


def test_a_stub_keeps_signature_and_docstring_and_loses_the_body_with_its_comments():
    cut = without_bodies(SOURCE, ["Circle.area", "Circle.perimeter"])

    assert '"""π r²"""' in cut
    assert "radius: float,\n    ) -> float:" in cut
    assert "math.pi" not in cut
    assert "twice" not in cut
    assert "def after() -> int:\n    return 1" in cut
    assert 'raise NotImplementedError("Circle.area is not written yet")' in cut
    ast.parse(cut)


def test_a_class_as_target_means_all_its_methods():
    assert without_bodies(SOURCE, ["Circle"]) == without_bodies(SOURCE, ["Circle.area", "Circle.perimeter"])


@pytest.mark.parametrize("body", ["raise NotImplementedError", "pass", "...", '"""Only words."""', "pass\n    ..."])
def test_an_empty_body_is_no_attempt(body):
    assert not attempted(f"def f(x):\n    {body}\n", ["f"])


@pytest.mark.parametrize("body", ["return None", "return x", "raise ValueError", "x = 1", "print()"])
def test_anything_else_is_an_attempt(body):
    assert attempted(f"def f(x):\n    {body}\n", ["f"])


def test_one_written_body_of_several_is_an_attempt():
    cut = without_bodies(SOURCE, ["Circle.area"])

    assert attempted(cut, ["Circle.area", "Circle.perimeter"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n    pass", "line 1"),
        ("def g(): pass", "does not define f"),
        ("f = lambda x: x", "does not define f"),
        ("\0", "null bytes"),
        ("x = " + "(" * 3000 + ")" * 3000, "syntax"),
        ("x = " + "-" * 100_000 + "1", "cannot read"),
        ("#" * 300_000, "300000 characters"),
    ],
)
def test_a_file_that_cannot_be_graded_says_why(text, says):
    with pytest.raises(UnreadableSourceError, match=says):
        attempted(text, ["f"])


def test_of_two_definitions_the_last_one_counts_as_in_python():
    assert find(parse("def f():\n    return 1\n\n\ndef f():\n    pass\n"), "f").lineno == 5


def test_a_definition_is_replaced_with_its_decorators():
    text = "import a\n\n\n@a.b\ndef f():\n    return 1\n\n\ndef g():\n    return 2\n"

    assert replace_definition(text, "f", "def f():\n    return 3") == (
        "import a\n\n\ndef f():\n    return 3\n\n\ndef g():\n    return 2\n"
    )


@pytest.mark.parametrize("name", all_exercises())
def test_every_exercise_can_be_cut_and_nothing_of_its_answer_is_left(name):
    exercise = all_exercises()[name]
    live = live_source(exercise)

    cut = stub_of(exercise)

    assert not attempted(cut, exercise.targets)
    assert attempted(live, exercise.targets)
    for wrong in exercise.wrong:
        if live.count(wrong.old) == 1 and "\n" not in wrong.old:
            assert wrong.old not in cut, f"{wrong.old!r} is part of the answer"
