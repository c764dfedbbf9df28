"""Copies of base parameters: which can be made, and the names that they have."""

import pytest
import torch
from torch import nn

from peft import FullConfig, LNTuningConfig, get_peft_model
from peft.frame.owned import OwnedParameters
from tests.peft.small import small_base


def test_a_parameter_of_the_base_itself_has_a_name_without_a_path() -> None:
    model = get_peft_model(nn.Linear(3, 2), FullConfig())
    assert set(model.adapters["default"].owned.own_parameters()) == {"weight", "bias"}


def test_the_copies_are_in_the_modules_only_while_they_are_enabled() -> None:
    base = nn.Sequential(nn.Linear(3, 3))
    base[0].extra = base[0].weight
    original = base[0].weight
    owned = OwnedParameters(base, ["0.weight"])
    copy = owned.own_parameters()["0.weight"]

    owned.enable()
    assert base[0].weight is base[0].extra is copy
    owned.disable()
    assert base[0].weight is base[0].extra is original


def test_what_is_not_there_and_what_has_no_gradient_cannot_be_copied() -> None:
    base = nn.Linear(3, 2)
    base.counted = nn.Parameter(torch.tensor([3]), requires_grad=False)
    with pytest.raises(ValueError, match="the base has no parameter gain"):
        OwnedParameters(base, ["gain"])
    with pytest.raises(ValueError, match=r"counted holds torch.int64, which cannot be trained"):
        OwnedParameters(base, ["counted"])


def test_the_modules_hold_the_copies_of_the_active_adapter() -> None:
    model = get_peft_model(small_base(), LNTuningConfig(), "a")
    model.add_adapter("b", LNTuningConfig())
    owned = {name: adapter.owned for name, adapter in model.adapters.items()}
    ((module, attribute), *_) = owned["a"].holders[0]

    for name in ("b", "a", "b"):
        model.set_adapter(name)
        assert getattr(module, attribute) is owned[name].copies[0]
    with model.disable_adapter():
        assert getattr(module, attribute) is owned["a"].originals[0]
