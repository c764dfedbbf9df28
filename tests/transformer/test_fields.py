"""Settings are of their annotated types, and a message about names from a file is one short line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest

from transformer.fields import fits, in_one_line, in_words, the_first

CASES = [
    (int, [3, -1], [True, 3.0, "3", None]),
    (float, [3, 0.5], [True, "3", float("nan"), float("inf")]),
    (bool, [True], [1, "True"]),
    (str, ["a"], [1, None]),
    (int | None, [3, None], ["3", True]),
    (Literal["a", 1], ["a", 1], ["b", True, 1.0, 2]),
    (tuple[int, str], [(1, "a")], [(1, 2), ("a", "a"), (1,), (1, "a", "a"), [1, "a"], "1a"]),
    (tuple[int, ...], [(), (1, 2, 3)], [(1, "2"), ("1", 2), [1], 1]),
    (Sequence[str], [["a"], ("a", "b")], ["ab", [1], ["a", 1]]),
    (Mapping[str, int], [{"a": 1}, {}], [{"a": "1"}, {1: 1}, {"a": 1, "b": None}, ["a"]]),
    (Any, [object()], []),
    (Callable[[int], int], [abs, "what no check can tell"], []),
]


@pytest.mark.parametrize(("kind", "good", "bad"), CASES, ids=[str(kind) for kind, _, _ in CASES])
def test_a_value_fits_its_annotation_or_not(kind, good, bad):
    assert all(fits(value, kind) for value in good)
    assert not any(fits(value, kind) for value in bad)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (int | None, "an integer or None"),
        (Literal["a", 1], "one of a, 1"),
        (tuple[int, str], "a pair of an integer and text"),
        (tuple[int, ...], "a list of an integer"),
        (Sequence[str], "a list of text"),
        (Mapping[str, float], "a mapping of text to a finite number"),
        (complex, "complex"),
    ],
)
def test_a_message_says_what_a_value_must_be(kind, said):
    assert in_words(kind) == said


def test_of_many_the_first_are_named_and_the_others_counted():
    assert the_first(list("abcdefgh")) == "a; b; c; d; e; f; g; h"
    assert the_first(list("abcdefghij"), ", ") == "a, b, c, d, e, f, g, h and 2 more"


def test_a_name_that_is_long_or_breaks_the_line_is_shortened():
    short, long = 79 * "a", 80 * "a"

    assert in_one_line([short, "b"]) == f"{short}, b"
    assert len(in_one_line([long])) < 60
    assert in_one_line(["a\nb"]) == r"'a\nb'"
