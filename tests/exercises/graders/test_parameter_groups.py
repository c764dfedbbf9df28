"""Grader: what weight decay may pull at."""

from torch import nn

from lessons.exercises.diagnosis import assert_refused
from tests.exercises.graders import given
from transformer.learning.training import parameter_groups


def names_by_decay(model, groups):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        decayed: {names[id(p)] for group in groups if (group["weight_decay"] > 0) == decayed for p in group["params"]}
        for decayed in (True, False)
    }


def test_decay_pulls_at_matrices_and_at_nothing_else():
    model = given.model()

    found = names_by_decay(model, parameter_groups(model, 1e-3, 0.1))

    vectors = {name for name, parameter in model.named_parameters() if parameter.dim() < 2}
    matrices = {name for name, parameter in model.named_parameters() if parameter.dim() >= 2}
    assert not found[True] & found[False], f"value: in two groups at once: {sorted(found[True] & found[False])[:3]}"
    assert not found[True] & vectors, f"value: weight decay pulls at vectors: {sorted(found[True] & vectors)[:3]}"
    assert found[True] == matrices, f"value: matrices without weight decay: {sorted(matrices - found[True])[:3]}"
    assert found[False] == vectors, f"value: parameters in no group: {sorted(vectors - found[False])[:3]}"


def test_a_frozen_parameter_is_in_no_group():
    model = given.model()
    model.encoder.requires_grad_(False)

    groups = parameter_groups(model, 1e-3, 0.1)

    frozen = {id(parameter) for parameter in model.encoder.parameters()}
    assert not [p for group in groups for p in group["params"] if id(p) in frozen], (
        "value: a frozen parameter is in a group"
    )


def test_every_group_has_the_learning_rate_and_its_own_decay():
    groups = parameter_groups(given.model(), 1e-3, 0.1)

    assert all(group.get("lr") == 1e-3 for group in groups), "value: each group has the key lr with the learning rate"
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.1], (
        "value: one group decays with 0.1, one with 0"
    )


def test_an_empty_group_is_left_out():
    groups = parameter_groups(nn.Linear(3, 2, bias=False), 1e-3, 0.1)

    assert len(groups) == 1, f"value: a model without vectors has one group, not {len(groups)}"


def test_nothing_trainable_is_an_error():
    assert_refused(parameter_groups, given.model().requires_grad_(False), 1e-3, 0.1)
