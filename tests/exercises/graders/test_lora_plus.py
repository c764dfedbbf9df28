"""Grader: B learns faster than A."""

import pytest

from lessons.exercises.diagnosis import assert_refused
from peft import LoraConfig, get_peft_model
from peft.lora_plus import lora_plus_groups
from tests.exercises.graders import given

RATE, DECAY, RATIO = 0.01, 0.1, 8.0


@pytest.fixture
def model():
    return get_peft_model(given.model(), LoraConfig(r=2, trainable_token_indices=(3,)))


def rates(model, **settings):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = lora_plus_groups(model, RATE, DECAY, **settings)
    assert groups is not None, "kind: lora_plus_groups returns nothing: is `return` missing?"
    return {names[id(p)]: group["lr"] for group in groups for p in group["params"]}, groups


def test_every_b_has_the_ratio_times_the_rate(model):
    found, _ = rates(model, ratio=RATIO)

    wrong = {name: rate for name, rate in found.items() if "lora_B" in name and rate != RATIO * RATE}
    assert not wrong, f"value: B's rate is {RATIO} · {RATE} = {RATIO * RATE}, not {next(iter(wrong.values()))}"


def test_everything_else_has_the_plain_rate(model):
    found, _ = rates(model, ratio=RATIO)

    wrong = {name: rate for name, rate in found.items() if "lora_B" not in name and rate != RATE}
    assert not wrong, f"value: {next(iter(wrong.items()))}: everything but B learns at {RATE}"


def test_every_trainable_parameter_is_in_one_group_with_the_decay_that_it_had(model):
    found, groups = rates(model)

    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert set(found) == trainable, f"value: missing or too many: {sorted(set(found) ^ trainable)[:4]}"
    assert sum(len(group["params"]) for group in groups) == len(trainable), "value: a parameter is in two groups"
    assert {group["weight_decay"] for group in groups} == {DECAY}, "value: the decay of a group was changed"
    assert all(group["params"] for group in groups), "value: a group without parameters"


def test_the_usual_ratio_is_16(model):
    found, _ = rates(model)

    assert RATE * 16 in found.values(), (
        f"value: without a ratio B learns 16 times as fast; the rates are {set(found.values())}"
    )


@pytest.mark.parametrize("ratio", [0.0, -1.0])
def test_a_ratio_that_is_not_positive_is_refused(model, ratio):
    assert_refused(lora_plus_groups, model, RATE, DECAY, ratio)


def test_a_model_without_lora_is_refused():
    assert_refused(lora_plus_groups, given.model(), RATE, DECAY)
