"""LoRA+: the same model as LoRA, and an optimizer in which B is faster."""

import pytest
import torch

from peft import lora_plus_groups, recipe
from tests.peft.small import technique


def test_b_learns_sixteen_times_as_fast_as_everything_else() -> None:
    model = technique("lora_plus")
    groups = recipe("lora_plus").groups(model, 0.001, 0.1)
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    own = model.adapters["default"].own_parameters()
    assert len(rate) == len(own) == sum(len(group["params"]) for group in groups)
    for name, parameter in own.items():
        assert rate[id(parameter)] == pytest.approx(0.016 if "lora_B" in name else 0.001), name
    assert all(group["weight_decay"] == 0.1 for group in groups), "all of these are matrices"


def test_one_step_moves_the_two_matrices_by_their_own_rates() -> None:
    model = technique("lora_plus")
    layer = model.adapters["default"].layers["encoder.layers.0.feed_forward.fc1"]
    optimizer = torch.optim.SGD(lora_plus_groups(model, 0.1, 0.0, ratio=5.0))
    before_a, before_b = layer.lora_A.weight.clone(), layer.lora_B.weight.clone()
    for parameter in model.adapters["default"].own_parameters().values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    torch.testing.assert_close(before_a - layer.lora_A.weight, torch.full_like(before_a, 0.1))
    torch.testing.assert_close(before_b - layer.lora_B.weight, torch.full_like(before_b, 0.5))


def test_no_group_is_empty() -> None:
    model = technique("lora_plus", trainable_token_indices=(), modules_to_save=("decoder.norm",))
    assert all(group["params"] for group in lora_plus_groups(model, 0.1, 0.1))

    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".lora_B." in name)
    (faster,) = lora_plus_groups(model, 0.1, 0.1)
    assert faster["lr"] == pytest.approx(1.6)


def test_it_needs_a_b_and_a_ratio() -> None:
    with pytest.raises(ValueError, match="no lora_B"):
        lora_plus_groups(technique("bitfit"), 0.001, 0.0)
    with pytest.raises(ValueError, match="not 0"):
        lora_plus_groups(technique("lora"), 0.001, 0.0, ratio=0)
