"""What a difference looks like, in words: each kind of mistake on numbers that have it."""

import types

import pytest
import torch
from torch import nn

from lessons.exercises.diagnosis import assert_refused, difference
from lessons.exercises.diagnosis.calls import CallLog
from lessons.exercises.diagnosis.cause import is_open, with_cause
from lessons.exercises.diagnosis.first import first_to_explain

RIGHT = torch.tensor([[1.0, 2.0, 5.0], [7.0, -3.0, 4.0]], dtype=torch.float64)
MASK = torch.tensor([[True, False, True], [False, False, True]])


def said(came, expected=RIGHT, axes="batch feature", **known):
    return difference(came, expected, axes, **known).partition("\n")[0]


@pytest.mark.parametrize(
    ("came", "expected", "sentence"),
    [
        (~MASK, MASK, "it is the other way round"),
        (-RIGHT, RIGHT, "every value has the opposite sign"),
        (RIGHT.flip(1), RIGHT, "the order along the axis feature is reversed"),
        (
            RIGHT * torch.tensor([[0.5], [0.9]]),
            RIGHT,
            "each vector along feature is a multiple of the right one, 0.5 to 0.9",
        ),
        (RIGHT + torch.tensor([[0.5], [0.9]]), RIGHT, "each vector along feature is moved by a number of its own"),
        (RIGHT.T.reshape(2, 3), RIGHT, "the right numbers at the wrong places"),
    ],
)
def test_what_it_looks_like_is_said(came, expected, sentence):
    assert sentence in said(came, expected)


def test_a_single_number_is_no_every_value():
    assert "every value" not in said(torch.tensor(2.3), torch.tensor(1.0), "")
    assert "times too large" not in said(torch.tensor(2.3), torch.tensor(1.0), "")
    assert "it is 3 = α/r times too large" in said(torch.tensor(3.0), torch.tensor(1.0), "", scales={"α/r": 3.0})


def test_a_single_number_has_no_place():
    assert "largest difference at" not in difference(torch.tensor(2.3), torch.tensor(1.0))


def test_two_known_mistakes_at_once_are_both_named():
    mistakes = {"no gain": RIGHT / torch.tensor([2.0, 3.0, 4.0]), "no bias": RIGHT - torch.tensor([1.0, 2.0, 3.0])}

    added = said(mistakes["no gain"] + mistakes["no bias"] - RIGHT, mistakes=mistakes)
    turned = said(-mistakes["no bias"], mistakes=mistakes)

    assert "two things at once: no gain; and no bias" in added
    assert "two things at once: no bias; and every value has the opposite sign" in turned


def test_what_must_be_refused_is_shown_with_its_call_and_the_words_of_an_error_do_not_count():
    def mask(length):
        if length < -1:
            raise ValueError("any words")
        return length

    assert_refused(mask, -2)
    with pytest.raises(AssertionError, match=r"mask\(length=0\) must raise ValueError; it gives 0"):
        assert_refused(mask, 0)
    with pytest.raises(AssertionError, match=r"mask\(length='a'\) must raise ValueError; it raises TypeError"):
        assert_refused(mask, "a")


def test_a_call_is_shown_as_it_can_be_typed():
    class Module:
        @staticmethod
        def halved(x, total, top_k=None):
            return x / 2

    module, log = type("module", (), {})(), CallLog()
    module.halved = Module.halved
    log.watch(module, ["halved"])

    module.halved(torch.tensor([1.0, 2.0]), 3, top_k=1)
    first = module.halved(torch.tensor([1.0, 4.0]), 5)
    module.halved(torch.zeros(100), 7)

    assert log.told(first) == "halved(x, total=5)\n    x = torch.tensor([1.0, 4.0])"
    assert "a tensor of shape (100,), float32" in log.told()
    log.unwatch()
    assert module.halved is Module.halved


class Scaled(nn.Module):
    def __init__(self, features, gain=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((features,), gain))

    def forward(self, x, extra=None):
        return self.weight * x

    def total(self, parts):
        return sum(parts)


def test_a_call_of_an_object_says_how_it_was_made_and_which_few_numbers_it_holds():
    module, log, init = types.ModuleType("module"), CallLog(), Scaled.__init__
    module.Scaled = Scaled
    log.watch(module, ["Scaled.forward", "Scaled.total"])

    Scaled(2, gain=3.0)(torch.tensor([1.0, 2.0]))
    small = log.told()
    Scaled(40)(torch.tensor([1.0]), extra=iter(()))
    large = log.told()
    Scaled(2).total([nn.Parameter(torch.zeros(3)), torch.ones(1)])
    method = log.told()
    log.unwatch()

    weight = "    self.weight = torch.tensor([3.0, 3.0])"
    assert small == f"Scaled(features=2, gain=3)(x)\n    x = torch.tensor([1.0, 2.0])\n{weight}"
    assert large == "Scaled(features=40)(x, extra=a tuple_iterator)\n    x = torch.tensor([1.0])"
    assert method.startswith("Scaled(features=2).total(parts=[nn.Parameter(torch.zeros(3)), torch.tensor([1.0])])")
    assert Scaled.__init__ is init


def test_an_axis_that_is_called_by_its_length_is_told_by_it_alone_and_numbers_fit_a_card():
    shape = difference(torch.zeros(2, 4), torch.zeros(2, 1, 1, 4), "batch 1 1 key")
    value = difference(torch.full((2, 1, 1, 9), -12.5), torch.zeros(2, 1, 1, 9), "batch 1 1 key")

    assert "(batch 2, 1, 1, key 4)" in shape
    assert "largest difference at batch 0, key 0:" in value
    assert max(map(len, value.splitlines()[1:])) <= 76


@pytest.mark.parametrize(
    ("axes", "place", "only"),
    [
        ("heads query", "at head 1, query 2:", "right only at head 0"),
        ("", "at [1, 2]:", "right only at index 0 of axis 0"),
        ("base|adapter query", "at adapter, query 2:", "right only at base"),
    ],
)
def test_a_place_is_told_by_names_and_without_them_as_python_writes_it(axes, place, only):
    message = difference(RIGHT + torch.tensor([[0.0], [1.0]]) * torch.tensor([0.1, 1.0, 3.0]) ** 2, RIGHT, axes)

    assert f"largest difference {place}" in message
    assert only in message


def test_a_known_mistake_that_is_not_finite_is_named():
    one, many = torch.tensor(torch.inf), torch.tensor([1.0, torch.inf])
    mistakes = {"the logarithm of 0 is taken": torch.inf}

    assert difference(one, torch.tensor(2.5)) == "finite: the output is infinite, where 2.5 is expected"
    assert "as it comes when the logarithm of 0 is taken" in difference(one, torch.tensor(2.5), mistakes=mistakes)
    assert not is_open(difference(one, torch.tensor(2.5), mistakes=mistakes))
    assert "is infinite at key 1 (1 of 2 values); expected 2" in difference(many, torch.tensor([1.0, 2.0]), "key")


def test_the_first_wrong_value_comes_before_an_edge_case():
    tests = [
        {"name": "a[1]", "outcome": "passed", "message": ""},
        {"name": "a[2]", "outcome": "failed", "message": "RuntimeError: out of range"},
        {"name": "b", "outcome": "failed", "message": "refused: f(0) must raise ValueError"},
        {"name": "c", "outcome": "failed", "message": "value: it differs"},
    ]

    assert first_to_explain(tests, "passed")["name"] == "c"
    assert first_to_explain(tests[:3], "passed")["name"] == "a[2]"


def test_a_cause_takes_the_place_of_what_only_says_that_something_differs():
    message = difference(torch.pi * RIGHT.exp(), RIGHT, "batch feature")
    named = difference(RIGHT, 2 * RIGHT, "batch feature", mistakes={"a factor is missing": RIGHT})

    assert is_open(message)
    assert not is_open(named)
    assert with_cause(message, "exp is there").startswith("value: the output: exp is there\nlargest difference")


@pytest.mark.filterwarnings("error")
def test_what_should_be_zero_is_told_without_a_warning():
    assert said(RIGHT * torch.tensor([[1e-4], [1.0]]), 0 * RIGHT).startswith("value")
