"""Grader: how many numbers learn, and how many there are."""

import torch
from torch import nn

from lessons.exercises.diagnosis import assert_matches
from peft.frame.counting import trainable_and_all

AXES = "trainable|all"


def tensors():
    """12 + 4 numbers that learn, 10 + 5 that are frozen."""
    return [
        nn.Parameter(torch.zeros(3, 4)),
        nn.Parameter(torch.zeros(2, 5), requires_grad=False),
        nn.Parameter(torch.zeros(4)),
        torch.zeros(5),
    ]


def counted(parameters):
    found = trainable_and_all(parameters)
    assert isinstance(found, tuple), f"kind: a pair (trainable, all) is expected, not {found!r}"
    assert len(found) == 2, f"kind: a pair (trainable, all) is expected, not {found!r}"
    return torch.tensor(found)


def test_both_are_counted_the_trainable_ones_first():
    mistakes = {
        "the tensors are counted, not the numbers in them": [2, 31],
        "the tensors are counted, not the numbers in them: numel() says how many": [2, 4],
        "those that are frozen are counted, where those that learn are wanted": [15, 31],
        "requires_grad is not asked: what is frozen is counted as learning": [31, 31],
        "a tensor learns where its requires_grad is True, not where it has a gradient already": [0, 31],
        "the second is not a number of numbers: it is the share of those that learn, in per cent": [16, 1600 / 31],
        "the two come in the other order: those that learn are first": [31, 16],
        "those that learn belong to all: the second is only the frozen ones": [16, 15],
        "only the first axis of a tensor is counted": [16, 14],
        "only the first axis of a tensor is counted: numel() counts them all": [7, 14],
    }
    assert_matches(counted(tensors()), [16, 31], AXES, name="(trainable, all)", mistakes=mistakes)


def test_the_numbers_of_a_frozen_model():
    model = nn.Linear(3, 2).requires_grad_(False)

    assert_matches(counted(list(model.parameters())), [0, 8], AXES, name="(trainable, all)")


def test_without_parameters_both_are_0():
    assert_matches(counted([]), [0, 0], AXES, name="(trainable, all)")
