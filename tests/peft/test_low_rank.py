"""Two thin matrices: the way up computes what a linear layer does, also backwards."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from peft import LoraLinear
from peft.frame.layers import UpLinear
from tests.peft.layers import D_IN, D_OUT, linear


@pytest.mark.parametrize("shape", [(5,), (2, 3, 5)])
def test_the_way_up_is_a_linear_layer_with_its_gradients(shape: tuple[int, ...]) -> None:
    up = UpLinear(5, 7, bias=False, dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    ours, plain = up(x), F.linear(x, up.weight)

    torch.testing.assert_close(ours, plain)
    weights = torch.randn_like(ours)
    for mine, theirs in zip(*(torch.autograd.grad(y, [x, up.weight], weights) for y in (ours, plain)), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_under_autocast_it_answers_in_bf16_like_any_linear_layer() -> None:
    up = UpLinear(3, 4, bias=False)
    with torch.autocast("cpu", torch.bfloat16):
        assert up(torch.randn(2, 3)).dtype == nn.Linear(3, 4)(torch.randn(2, 3)).dtype == torch.bfloat16


@pytest.mark.parametrize("rank", [1, min(D_IN, D_OUT)])
def test_the_smallest_and_the_full_rank_are_taken(rank: int) -> None:
    assert LoraLinear(linear(), rank, alpha=2.0).lora_A.weight.shape == (rank, D_IN)
