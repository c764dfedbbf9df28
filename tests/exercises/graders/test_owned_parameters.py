"""Grader: an adapter's own copy of a parameter, put in and taken out again."""

import torch

from peft.frame.owned import OwnedParameters
from tests.exercises.graders import given

NAMES = ("target_embedding.weight", "encoder.layers.0.feed_forward.fc1.bias")


def owned():
    base = given.model()
    return base, OwnedParameters(base, NAMES)


def test_enabled_the_copies_stand_in_the_modules():
    base, copies = owned()

    copies.enable()

    mine = copies.own_parameters()[NAMES[1]]
    assert base.encoder.layers[0].feed_forward.fc1.bias is mine, "value: the copy does not stand in the module"


def test_a_tied_matrix_is_put_into_every_module_that_shares_it():
    base, copies = owned()

    copies.enable()

    places = {
        "source_embedding": base.source_embedding,
        "target_embedding": base.target_embedding,
        "output": base.output,
    }
    other = [name for name, module in places.items() if module.weight is not copies.own_parameters()[NAMES[0]]]
    assert not other, f"value: the tied matrix is not put into {', '.join(other)}"


def test_disabled_the_bases_own_tensors_are_back():
    base, copies = owned()
    before = dict(base.named_parameters())

    copies.enable()
    copies.disable()

    moved = [name for name, parameter in base.named_parameters() if parameter is not before[name]]
    assert not moved, f"value: after disable {moved} is not the base's own tensor"


def test_training_the_copy_leaves_the_base_alone():
    base, copies = owned()
    before = base.target_embedding.weight.detach().clone()

    copies.enable()
    with torch.no_grad():
        copies.own_parameters()[NAMES[0]].add_(1.0)
    copies.disable()

    assert torch.equal(base.target_embedding.weight, before), "property: the base's numbers were changed"


def test_loading_fills_the_copies():
    base, copies = owned()
    tensors = {name: torch.full_like(parameter, 3.0) for name, parameter in copies.own_parameters().items()}

    copies.load(tensors)

    assert set(copies.own_parameters()) == set(NAMES), f"value: own_parameters names {sorted(copies.own_parameters())}"
    assert all((p == 3.0).all() for p in copies.own_parameters().values()), "value: load does not fill every copy"
    assert not (base.target_embedding.weight == 3.0).any(), "property: load writes into the base"
