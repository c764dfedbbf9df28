"""Grader: one factor for each feature."""

import pytest

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from peft.ia3 import IA3Linear
from tests.exercises.graders import given
from tests.reference.lora_family import ia3, linear


def layer_and_input(feedforward):
    layer = given.scattered(IA3Linear(given.base(), feedforward).double())
    return layer, given.normal(2, 3, 7)


def numbers(layer):
    arrays = given.arrays(layer)
    return arrays["base.weight"], arrays["base.bias"], arrays["ia3_l"]


def test_keys_and_values_are_scaled_as_they_come_out():
    layer, x = layer_and_input(feedforward=False)
    weight, bias, factor = numbers(layer)

    output = layer(x)

    mistakes = {
        "nothing is scaled: that is the base": linear(x.numpy(), weight, bias),
        "the bias is not scaled": (x.numpy() @ weight.T) * factor.ravel() + bias,
        "the output is added to the base's": linear(x.numpy(), weight, bias) * (1 + factor.ravel()),
    }
    assert_matches(output, ia3(x.numpy(), *numbers(layer), False), "batch time d_out", mistakes=mistakes)


def test_in_the_feed_forward_the_input_is_scaled():
    layer, x = layer_and_input(feedforward=True)
    weight, bias, _ = numbers(layer)

    output = layer(x)

    mistakes = {"nothing is scaled: that is the base": linear(x.numpy(), weight, bias)}
    assert_matches(output, ia3(x.numpy(), *numbers(layer), True), "batch time d_out", mistakes=mistakes)


@pytest.mark.parametrize("feedforward", [False, True])
def test_merged_it_is_a_plain_layer_of_the_same_numbers(feedforward):
    layer, _ = layer_and_input(feedforward)
    weight, bias, factor = numbers(layer)

    merged = layer.merged()

    wanted_bias = bias if feedforward else factor.ravel() * bias
    assert_matches(
        merged.weight,
        factor * weight,
        "d_out d_in",
        name="the merged weight",
        mistakes={"the weight is not scaled": weight},
    )
    mistakes = {"the bias is not scaled": bias} if not feedforward else {"the bias is scaled": bias * 0}
    assert_matches(merged.bias, wanted_bias, "d_out", name="the merged bias", mistakes=mistakes)


def test_a_layer_without_a_bias_can_be_merged():
    layer = given.scattered(IA3Linear(given.base(bias=False)).double())

    assert layer.merged().bias is None, "value: a layer without a bias stays without one"


def test_gradients_reach_the_input():
    layer, x = layer_and_input(feedforward=True)

    assert_gradients_flow(layer, x=x)
