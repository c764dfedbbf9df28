"""Two thin matrices in place of a large one: what LoRA and its relatives share.

ΔW = s · B A        A ∈ R^{r × d_in},  B ∈ R^{d_out × r},  rank(ΔW) ≤ r
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Initialization = bool | Literal["gaussian", "pissa", "loftq"]


def check_rank(rank: int, d_in: int, d_out: int, path: str) -> None:
    """Raises ValueError for a rank that is not in 1..min(d_in, d_out)."""
    if rank < 1:
        raise ValueError(f"rank {rank} of {path} must be at least 1")
    if rank > min(d_in, d_out):
        raise ValueError(f"rank {rank} of {path} is larger than the layer's smaller side {min(d_in, d_out)}")


def scaling_of(rank: int, alpha: float, use_rslora: bool) -> float:
    """α/r, or α/√r for rsLoRA, which keeps the update's size at large ranks (2312.03732)."""
    return alpha / math.sqrt(rank) if use_rslora else alpha / rank


def up_product(x: Float[Tensor, "*batch rank"], up: Float[Tensor, "d_out rank"]) -> Float[Tensor, "*batch d_out"]:
    """x Bᵀ. Bᵀ is laid out anew, r · d_out numbers: the gradient of B then runs along rows, which a CPU does several times
    as fast (tests/benchmarks/bench_peft.py prints how many)."""
    return x @ up.T.contiguous()


class UpLinear(nn.Linear):
    """nn.Linear without a bias, for an input of few features."""

    def forward(self, x: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch d_out"]:
        return up_product(x, self.weight)


def new_factors(
    d_in: int, d_out: int, rank: int, initialization: Initialization, device: torch.device, dtype: torch.dtype
) -> tuple[nn.Linear, nn.Linear]:
    """A: uniform on ±1/√d_in (True) or N(0, 1/r²) ("gaussian"). B: zeros, so that ΔW = 0; with False both are random."""
    down = nn.Linear(d_in, rank, bias=False, device=device, dtype=dtype)
    up = UpLinear(rank, d_out, bias=False, device=device, dtype=dtype)
    if initialization == "gaussian":
        nn.init.normal_(down.weight, std=1 / rank)
    if initialization is not False:
        nn.init.zeros_(up.weight)
    return down, up


def product(up: nn.Linear, down: nn.Linear, scaling: float) -> Float[Tensor, "d_out d_in"]:
    """s · B A, in the factors' own precision."""
    return scaling * (up.weight @ down.weight)


def at_most_full_rank(
    up: Float[Tensor, "d_out rank"], down: Float[Tensor, "rank d_in"]
) -> tuple[Float[Tensor, "d_out _"], Float[Tensor, "_ d_in"]]:
    """Factors of the same product whose rank is at most the smaller side: one of them becomes the identity."""
    d_out, d_in = up.shape[0], down.shape[1]
    if down.shape[0] <= min(d_in, d_out):
        return up, down
    if d_in < d_out:
        return up @ down, torch.eye(d_in, device=down.device, dtype=down.dtype)
    return torch.eye(d_out, device=up.device, dtype=up.dtype), up @ down
