"""Two thin matrices: the way up computes what a linear layer does, also backwards."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from peft import LoraConfig, LoraLinear
from peft.frame.layers import UpLinear
from peft.low_rank import at_most_full_rank, deltas_in_one_product
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


@pytest.mark.parametrize(("d_out", "d_in"), [(5, 8), (8, 5), (6, 6)])
@pytest.mark.parametrize("rank", [4, 7, 9])
def test_factors_of_too_high_a_rank_become_those_of_the_full_rank(d_out: int, d_in: int, rank: int) -> None:
    up, down = (torch.randn(shape, dtype=torch.float64) for shape in ((d_out, rank), (rank, d_in)))

    lower_up, lower_down = at_most_full_rank(up, down)

    torch.testing.assert_close(lower_up @ lower_down, up @ down)
    assert lower_up.shape[1] == lower_down.shape[0] == min(rank, d_out, d_in)
    assert lower_up.dtype == lower_down.dtype == torch.float64


def test_factors_of_the_full_rank_stay_as_they_are() -> None:
    up, down = torch.randn(5, 5), torch.randn(5, 8)
    assert at_most_full_rank(up, down) == (up, down)


def test_under_autocast_it_answers_in_bf16_like_any_linear_layer() -> None:
    up = UpLinear(3, 4, bias=False)
    with torch.autocast("cpu", torch.bfloat16):
        assert up(torch.randn(2, 3)).dtype == nn.Linear(3, 4)(torch.randn(2, 3)).dtype == torch.bfloat16


@pytest.mark.parametrize("rank", [1, min(D_IN, D_OUT)])
def test_the_smallest_and_the_full_rank_are_taken(rank: int) -> None:
    assert LoraLinear(linear(), rank, alpha=2.0).lora_A.weight.shape == (rank, D_IN)


@pytest.mark.parametrize("training", [True, False])
def test_where_one_of_them_drops_in_this_call_there_is_no_one_product(training: bool) -> None:
    layers = {name: LoraLinear(linear(), rank=2, alpha=3, dropout=p) for name, p in (("a", 0.5), ("b", 0.0))}
    for layer in layers.values():
        layer.train(training)

    assert (deltas_in_one_product(layers, ["a", "b"], torch.randn(2, 3, D_IN)) is None) == training


@pytest.mark.parametrize("alpha", [0, -2.0])
def test_an_alpha_is_above_0(alpha: float) -> None:
    for settings in ({"lora_alpha": alpha}, {"alpha_pattern": {"q_proj": 4, "v_proj": alpha}}):
        with pytest.raises(ValueError, match=f"lora_alpha and what alpha_pattern has must be above 0, not {alpha}"):
            LoraConfig(**settings)
