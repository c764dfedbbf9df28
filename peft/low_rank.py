"""Two thin matrices in place of a large one: what LoRA and its relatives share.

ΔW = s · B A        A ∈ R^{r × d_in},  B ∈ R^{d_out × r},  rank(ΔW) ≤ r
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.layers import AdaptedLayer, UpLinear

Initialization = bool | Literal["gaussian", "pissa", "loftq"]


def check_rank(rank: int, d_in: int, d_out: int, path: str) -> None:
    """Raises ValueError for a rank that is not in 1..min(d_in, d_out)."""
    if rank < 1:
        raise ValueError(f"rank {rank} of {path} must be at least 1")
    if rank > min(d_in, d_out):
        raise ValueError(f"rank {rank} of {path} is larger than the layer's smaller side {min(d_in, d_out)}")


def scaling_of(rank: int, alpha: float, use_rslora: bool) -> float:
    """α/r, or α/√r for rsLoRA, which keeps the update's size at large ranks (arXiv 2312.03732)."""
    return alpha / math.sqrt(rank) if use_rslora else alpha / rank


def new_factors(d_in: int, d_out: int, rank: int, initialization: Initialization) -> tuple[nn.Linear, nn.Linear]:
    """A: uniform on ±1/√d_in (True) or N(0, 1/r²) ("gaussian"). B: zeros, so that ΔW = 0; with False both are random."""
    down = nn.Linear(d_in, rank, bias=False)
    up = UpLinear(rank, d_out, bias=False)
    if initialization == "gaussian":
        nn.init.normal_(down.weight, std=1 / rank)
    if initialization is not False:
        nn.init.zeros_(up.weight)
    return down, up


def product(up: nn.Linear, down: nn.Linear, scaling: float) -> Float[Tensor, "d_out d_in"]:
    """s · B A"""
    return scaling * (up.weight @ down.weight)


class LowRankLayer(AdaptedLayer):
    """A frozen linear layer with A and B beside it. What is made of them is the technique's.

    A relative that a LoraConfig can ask for says its name: `class DoraLinear(LowRankLayer, variant="dora")`.
    """

    variants: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, variant: str = "") -> None:
        super().__init_subclass__()
        if variant:
            LowRankLayer.variants[variant] = cls

    def __init__(
        self,
        base: nn.Module,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        use_rslora: bool = False,
        initialization: Initialization = True,
    ):
        super().__init__(base)
        check_rank(rank, base.in_features, base.out_features, type(base).__name__)
        self.scaling = scaling_of(rank, alpha, use_rslora)
        self.lora_A, self.lora_B = new_factors(base.in_features, base.out_features, rank, initialization)
        self.dropout = nn.Dropout(dropout)
        self.start()

    def start(self) -> None:
        """What a relative of LoRA starts with, besides A and B or in their place."""


def deltas_in_one_product(
    layers: Mapping[str, Any], names: Sequence[str], x: Float[Tensor, "rows *time d_in"]
) -> tuple[Float[Tensor, "rows time rank"], Float[Tensor, "rows d_out rank"]] | None:
    """x Aᵀ and s B, each row with the factors of its own layer: x Aᵀ (s B)ᵀ are the deltas. A row without a layer has s = 0.

    None where that is no single product: with unequal ranks, with dropout in this call, or for rows without a time.
    """
    ranks = {len(layer.lora_A.weight) for layer in layers.values()}
    drops = any(layer.training and layer.dropout.p > 0.0 for layer in layers.values())
    if len(ranks) > 1 or drops or x.dim() != 3:
        return None
    factors = {name: (layer.lora_A.weight, layer.scaling * layer.lora_B.weight) for name, layer in layers.items()}
    down, up = next(iter(factors.values()))
    nothing = (down, torch.zeros_like(up))
    downs, ups = zip(*(factors.get(name, nothing) for name in names), strict=True)
    return x @ torch.stack(downs).mT, torch.stack(ups)


def at_most_full_rank(
    up: Float[Tensor, "d_out rank"], down: Float[Tensor, "rank d_in"]
) -> tuple[Float[Tensor, "d_out _"], Float[Tensor, "_ d_in"]]:
    """Factors of the same product whose rank is at most the smaller side: one of them becomes the identity."""
    d_out, d_in = up.shape[0], down.shape[1]
    if down.shape[0] <= min(d_in, d_out):
        return up, down
    if d_in < d_out:
        return up @ down, torch.eye(d_in).to(down)
    return torch.eye(d_out).to(up), up @ down
