"""Grader: after training the network is dropped; what is left are free keys and values, as in P-Tuning v2."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft import get_peft_model
from peft.p_tuning_v2 import PTuningV2Config
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from tests.exercises.graders import given
from transformer.attention import Attend

PROMPT, D_MODEL, HIDDEN = 3, 4, 5


def encoded(trains=True):
    trunk = PrefixTrunk(PROMPT, D_MODEL, HIDDEN).double()
    return PrefixAttend(Attend(), given.normal(PROMPT, 2 * D_MODEL), trunk, owner=True).double().requires_grad_(trains)


def test_what_is_saved_are_the_keys_and_values_alone():
    layer = encoded()

    saved = layer.saved()

    assert saved is not None, "kind: saved returns nothing: is `return` missing?"
    assert set(saved) == {"prefix"}, (
        f"value: a prefix is saved under the name prefix and nothing else, not {sorted(saved)}"
    )
    assert_matches(saved["prefix"], layer.rows().detach(), "prompt two_d_model", name="the saved prefix")
    assert not saved["prefix"].requires_grad, "property: what is saved carries no gradient"


@pytest.mark.parametrize("trains", [True, False])
def test_dropping_the_network_leaves_its_output_as_a_parameter(trains):
    layer = encoded(trains)
    wanted = layer.rows().detach()

    layer.drop_encoder()

    assert isinstance(layer.prefix, torch.nn.Parameter), "kind: the prefix is a parameter now"
    assert_matches(layer.prefix, wanted, "prompt two_d_model", name="the prefix")
    assert layer.prefix.requires_grad == trains, "property: the prefix is trained if the network was"
    assert layer.trunk is None, "property: the trunk is gone"
    assert layer.last is None, "property: the layer's part of the network is gone"
    assert set(layer.own_parameters()) == {"prefix"}, (
        f"property: only the prefix is left, not {set(layer.own_parameters())}"
    )


def test_nothing_that_is_computed_changes():
    layer = encoded()
    query, key = given.normal(1, 2, 3, 2), given.normal(1, 2, 4, 2)
    before = layer(query, key, key).detach()

    layer.drop_encoder()

    assert_matches(layer(query, key, key), before, "batch heads query d_head", name="the attention after dropping")


def test_dropping_twice_or_without_a_network_changes_nothing():
    layer = PrefixAttend(Attend(), given.normal(PROMPT, 2 * D_MODEL))
    before = layer.prefix

    layer.drop_encoder()

    assert layer.prefix is before, "property: without a network there is nothing to drop"


def test_a_saved_prefix_can_be_loaded_into_a_layer_that_had_a_network():
    layer, wanted = encoded(), given.normal(PROMPT, 2 * D_MODEL)

    layer.load({"prefix": wanted})

    assert layer.trunk is None, "property: what was saved are keys and values, so there is no network afterwards"
    assert_matches(layer.rows(), wanted, "prompt two_d_model", name="the loaded prefix")


def test_p_tuning_v2_trains_two_p_d_numbers_for_each_attention():
    model = get_peft_model(given.model(), PTuningV2Config(num_virtual_tokens=PROMPT))

    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert count == 2 * PROMPT * 12 * (1 + 2 * 2), (
        f"value: {count} numbers are trained, 2 · p · d · attentions is {2 * PROMPT * 12 * 5}"
    )
