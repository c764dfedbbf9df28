"""Grader: down to the bottleneck, a non-linearity, and up again."""

import pytest

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from peft.bottleneck import Bottleneck
from tests.exercises.graders import given
from tests.reference.adapters import bottleneck

D_MODEL, M = 6, 4


def wide_and_narrow(style):
    return given.shaken(Bottleneck(D_MODEL, M, style)), given.normal(2, 3, D_MODEL)


@pytest.mark.parametrize(("style", "activation"), [("houlsby", "gelu"), ("pfeiffer", "relu"), ("parallel", "relu")])
def test_it_goes_down_to_the_bottleneck_and_through_the_non_linearity_up_again(style, activation):
    module, x = wide_and_narrow(style)
    weights = given.arrays(module)

    output = module(x)

    right = bottleneck(x.numpy(), weights, activation)
    narrow = x.numpy() @ weights["down.weight"].T + weights["down.bias"]
    other = bottleneck(x.numpy(), weights, "gelu" if activation == "relu" else "relu")
    mistakes = {
        "the activation is missing": narrow @ weights["up.weight"].T + weights["up.bias"],
        "the input is added; that is the business of the style": x.numpy() + right,
        "the style's own activation is not used": other,
    }
    assert_matches(output, right, "batch time d_model", mistakes=mistakes)


def test_gradients_reach_the_input():
    module, x = wide_and_narrow("houlsby")

    assert_gradients_flow(module, x=x)
