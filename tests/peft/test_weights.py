"""What is made of the numbers of a base or of a technique shares nothing with them."""

import pytest
import torch
from torch import nn

from peft.frame.weights import linear_like, norm_like, own_copy, weight_of
from transformer import LayerNorm


@pytest.mark.parametrize("turned", [True, False])
def test_a_parameter_of_its_own_starts_with_the_same_numbers(turned: bool) -> None:
    tensor = torch.randn(3, 2)
    kept = tensor.clone()
    copied = own_copy(tensor.T if turned else tensor)
    assert torch.equal(copied, kept.T if turned else kept)
    assert copied.is_contiguous()

    with torch.no_grad():
        copied.zero_()

    assert torch.equal(tensor, kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_layer_like_another_has_its_numbers_in_its_type_and_is_frozen(dtype: torch.dtype) -> None:
    weight, bias = torch.randn(2, 3, requires_grad=True), torch.randn(2)
    made = [linear_like(nn.Linear(3, 2, dtype=dtype), weight, bias)]
    made += [norm_like(LayerNorm(2).to(dtype).requires_grad_(False), weight[:, 0], bias)]

    for layer, own in zip(made, (weight, weight[:, 0]), strict=True):
        assert torch.equal(layer.weight, own.to(dtype))
        assert torch.equal(layer.bias, bias.to(dtype))
        assert not any(parameter.requires_grad for parameter in layer.parameters())
        given = {tensor.untyped_storage().data_ptr() for tensor in (weight, bias)}
        assert not given & {parameter.untyped_storage().data_ptr() for parameter in layer.parameters()}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_a_weight_in_half_precision_is_computed_with_in_full(dtype: torch.dtype) -> None:
    base = nn.Linear(3, 2, dtype=dtype)
    wanted = torch.float32 if dtype == torch.bfloat16 else dtype

    assert weight_of(base).dtype == wanted
    assert torch.equal(weight_of(base), base.weight.to(wanted))
