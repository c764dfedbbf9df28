"""Grader: the adapter trainable and in the optimizer, the base neither."""

import pytest
import torch

from lessons.clinic.repairs.standing_loss import revived
from peft import LoraConfig, get_peft_model
from tests.exercises.graders import given

ILL = ("the adapter is frozen and the base is not", "the optimizer holds the base", "all is trainable")


def sick(how: str) -> tuple[torch.nn.Module, list[str], torch.optim.Optimizer]:
    model = get_peft_model(given.model(), LoraConfig(r=2, lora_alpha=3))
    own = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    base = [parameter for name, parameter in model.named_parameters() if name not in own]
    if how != ILL[1]:
        model.requires_grad_(True)
    for name, parameter in model.named_parameters() if how == ILL[0] else ():
        parameter.requires_grad_(name not in own)
    return model, own, torch.optim.SGD(base, lr=0.03, momentum=0.4, nesterov=True)


@pytest.mark.parametrize("how", ILL)
def test_the_adapter_is_trainable_and_the_base_is_not(how: str):
    model, own, optimizer = sick(how)

    revived(model, own, optimizer)

    named = dict(model.named_parameters())
    still = [name for name in own if not named[name].requires_grad]
    assert not still, f"value: {len(still)} of the adapter's {len(own)} tensors are not trainable, {still[0]} for one"
    loose = [name for name, parameter in named.items() if name not in own and parameter.requires_grad]
    assert not loose, f"value: the base is trainable: {len(loose)} of its tensors, {loose[0]} for one"


@pytest.mark.parametrize("how", ILL)
def test_the_optimizer_holds_the_adapter_and_nothing_else(how: str):
    model, own, optimizer = sick(how)

    found = revived(model, own, optimizer)

    named = dict(model.named_parameters())
    held = {id(parameter) for group in found.param_groups for parameter in group["params"]}
    lacking = [name for name in own if id(named[name]) not in held]
    assert not lacking, f"value: the optimizer holds {len(own) - len(lacking)} of the adapter's {len(own)} tensors"
    more = [name for name, parameter in named.items() if name not in own and id(parameter) in held]
    assert not more, f"value: the optimizer holds {len(more)} tensors of the base, {more[0]} for one"


def test_kind_and_settings_are_those_of_the_old_one():
    model, own, optimizer = sick(ILL[1])

    found = revived(model, own, optimizer)

    assert type(found) is type(optimizer), f"kind: an optimizer of the same kind, not {type(found).__name__}"
    assert found.defaults == optimizer.defaults, (
        f"value: the settings are those of the old one, {optimizer.defaults['lr']} for lr; "
        f"{found.defaults['lr']} came, or another of them differs"
    )


def test_the_adapter_moves_and_the_base_stays():
    model, own, optimizer = sick(ILL[0])
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    source = torch.tensor([[5, 6, 2], [7, 2, 0]])

    found = revived(model, own, optimizer)
    for _ in range(2):  # at the first step B is 0, and A has no gradient
        found.zero_grad()
        model(source, source).square().mean().backward()
        found.step()

    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == set(own), (
        f"value: after two steps {len(moved & set(own))} of the adapter's {len(own)} tensors and {len(moved - set(own))} "
        "of the base's have moved"
    )
