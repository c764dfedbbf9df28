"""Grader: scale and shift after every operation."""

import numpy as np
import pytest

from lessons.exercises.diagnosis import assert_gradients_flow, assert_matches
from peft.ssf import ScaledShifted, scale_and_shift
from tests.exercises.graders import given
from tests.reference.ssf import scale_and_shift as reference
from transformer.add_norm import LayerNorm


def operations():
    return {
        "linear": given.base(),
        "linear without bias": given.base(bias=False),
        "norm": given.shaken(LayerNorm(5)).requires_grad_(False),
    }


def layer_of(kind):
    return given.scattered(ScaledShifted(operations()[kind]).double())


def input_of(kind):
    return given.normal(2, 3, 5 if kind == "norm" else 7)


def test_each_feature_is_scaled_and_then_shifted():
    y, scale, shift = given.normal(2, 3, 5), given.normal(5), given.normal(5)

    result = scale_and_shift(y, scale, shift)

    mistakes = {
        "the shift is scaled too: first γ, then β": scale * (y + shift),
        "the shift is missing": scale * y,
        "the scale is missing": y + shift,
        "γ and β have changed places": shift * y + scale,
        "the shift is subtracted": scale * y - shift,
    }
    assert_matches(result, reference(y.numpy(), scale.numpy(), shift.numpy()), "batch time d_out", mistakes=mistakes)


@pytest.mark.parametrize("kind", ["linear", "norm"])
def test_the_layer_scales_and_shifts_what_its_operation_gives(kind):
    layer, x = layer_of(kind), input_of(kind)

    arrays = given.arrays(layer)
    right = reference(layer.base(x).detach().numpy(), arrays["ssf_scale"], arrays["ssf_shift"])
    mistakes = {"nothing is scaled: that is the base": layer.base(x)}
    assert_matches(layer(x), right, "batch time d_out", mistakes=mistakes)


def test_gradients_reach_the_input():
    layer, x = layer_of("linear"), input_of("linear")

    assert_gradients_flow(layer, x=x)


@pytest.mark.parametrize("kind", ["linear", "norm"])
def test_merging_leaves_the_base_as_it_is(kind):
    layer = layer_of(kind)
    before = layer.base.weight.detach().clone(), layer.base.bias.detach().clone()

    layer.merged()

    for kept, now in zip(before, (layer.base.weight, layer.base.bias)):
        assert kept.equal(now.detach()), "mutated: merged() wrote into the base, which others still use"


@pytest.mark.parametrize("kind", ["linear", "linear without bias", "norm"])
def test_merged_it_is_a_plain_operation_of_the_same_numbers(kind):
    layer, x = layer_of(kind), input_of(kind)
    arrays = given.arrays(layer)
    bias = arrays.get("base.bias", np.zeros(5))

    merged = layer.merged()

    assert merged.bias is not None, "value: a base without a bias gains one, the shift"
    wanted = {"bias": reference(bias, arrays["ssf_scale"], arrays["ssf_shift"])}
    mistakes = {
        "the old bias is not scaled": bias + arrays["ssf_shift"],
        "the shift is missing": arrays["ssf_scale"] * bias,
    }
    assert_matches(merged.bias, wanted["bias"], "d_out", name="the merged bias", mistakes=mistakes)
    assert_matches(merged(x), layer(x), "batch time d_out", name="what the merged operation computes")
