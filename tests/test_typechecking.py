"""The tests' own check of signatures refuses what does not fit, and only that."""

from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

import peft
import quant
import rlhf
import transformer

pytest.importorskip("beartype")
from tests.typechecking import ENOUGH, checked, shaped

Row = Float[Tensor, " width"]


@shaped(typechecker=checked)
def larger(first: Row, second: Row, by: float = 1) -> Row:
    """Wrong on purpose where `by` is 0: then it gives one number too few."""
    return first + by * second if by else first[1:]


def test_what_fits_is_computed_and_every_call_has_sizes_of_its_own():
    assert larger(torch.ones(3), torch.ones(3)).tolist() == [2, 2, 2]
    assert larger(torch.ones(2), second=torch.ones(2), by=2).tolist() == [3, 3]


@pytest.mark.parametrize(
    "arguments",
    [
        (torch.ones(3), torch.ones(2)),
        (torch.ones(3), torch.ones(1, 3)),
        (torch.ones(3), torch.ones(3, dtype=torch.long)),
        (torch.ones(3), [1.0, 1.0, 1.0]),
        (torch.ones(3), torch.ones(3), "1"),
        (torch.ones(3), torch.ones(3), 0),
    ],
    ids=["other size", "other rank", "other numbers", "a list", "a word", "what is returned"],
)
def test_what_does_not_fit_is_refused(arguments):
    with pytest.raises(jaxtyping.TypeCheckError):
        larger(*arguments)


def test_in_a_test_the_first_calls_of_a_function_are_checked():
    for _ in range(ENOUGH):
        larger(torch.ones(3), torch.ones(3))

    assert larger(torch.ones(1), torch.ones(2)).tolist() == [2, 2]


def test_a_call_within_a_call_leaves_the_sizes_of_the_outer_one():
    @shaped(typechecker=checked)
    def outer(row: Row) -> Row:
        larger(torch.ones(5), torch.ones(5))
        return row[1:]

    with pytest.raises(jaxtyping.TypeCheckError, match="width"):
        outer(torch.ones(3))


def test_an_error_of_the_function_itself_stays_what_it_is():
    @shaped(typechecker=checked)
    def broken(row: Row) -> Row:
        raise KeyError(len(row))

    with pytest.raises(KeyError):
        broken(torch.ones(3))


def test_methods_and_generators_are_checked():
    class Adder:
        @shaped(typechecker=checked)
        def add(self, row: Row, other: Row) -> Row:
            return row + other

    @shaped(typechecker=checked)
    def rows(row: Row, other: Row) -> Iterator[Tensor]:
        yield row + other

    assert Adder().add(torch.ones(2), torch.ones(2)).tolist() == [2, 2]
    assert next(rows(torch.ones(2), torch.ones(2))).tolist() == [2, 2]
    for function in (Adder().add, rows):
        with pytest.raises(jaxtyping.TypeCheckError):
            function(torch.ones(2), torch.ones(3))


def test_every_package_is_checked():
    for function in (transformer.generate, quant.quantize_4bit, peft.get_peft_model, rlhf.masked_mean):
        assert function.__code__ is larger.__code__
