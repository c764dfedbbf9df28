"""VeRA: two frozen random matrices, shared by all layers, and two learned vectors for each layer.

    y = W x + b + λ_b ⊙ B (λ_d ⊙ A dropout(x))        A ∈ R^{r × d_in},  B ∈ R^{d_out × r}: random, from a seed

A and B are as large as the largest layer; a smaller one uses A's first columns and B's first rows.

Changes   a weight matrix (place 1)        Identity at start   yes: λ_b = 0, λ_d = 0.1
Trains    r + d_out per layer              Merges              yes: W ← W + diag(λ_b) B diag(λ_d) A
Paper     "VeRA" (arXiv 2310.11454)
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig, Placement, check_size
from peft.frame.layers import AdditiveLayer
from peft.frame.targets import target_linears
from peft.frame.weights import plus_delta


class Projections(nn.Module):
    """A and B. They are never trained; what is saved of them is at most a copy."""

    def __init__(self, rank: int, d_in: int, d_out: int, seed: int, persistent: bool = True):
        super().__init__()
        self.vera_A: Tensor
        self.vera_B: Tensor
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("vera_A", kaiming_uniform((rank, d_in), generator), persistent)
        self.register_buffer("vera_B", kaiming_uniform((d_out, rank), generator), persistent)


def kaiming_uniform(shape: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "rows columns"]:
    """Uniform on ±√(6 / columns). The generator's own numbers, so that a seed gives the same ones everywhere."""
    bound = math.sqrt(6 / shape[1])
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


class VeraLinear(AdditiveLayer):
    """A frozen linear layer and two vectors that weight the shared random directions."""

    def __init__(
        self,
        base: nn.Module,
        projections: Projections,
        dropout: float = 0.0,
        d_initial: float = 0.1,
        init_weights: bool = True,
    ):
        super().__init__(base)
        self.projections = projections
        rank = len(projections.vera_A)
        self.vera_lambda_b = nn.Parameter(torch.full((base.out_features,), 0.0 if init_weights else 1.0))
        self.vera_lambda_d = nn.Parameter(torch.full((rank,), d_initial) if init_weights else torch.randn(rank))
        self.dropout = nn.Dropout(dropout)

    def shared(self) -> tuple[Float[Tensor, "d_out rank"], Float[Tensor, "rank d_in"]]:
        """This layer's part of B and of A."""
        return (
            self.projections.vera_B[: self.base.out_features],
            self.projections.vera_A[:, : self.base.in_features],
        )

    def delta(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """λ_b ⊙ B (λ_d ⊙ A dropout(x)), which is added to the base's output."""
        up, down = self.shared()
        return self.vera_lambda_b * F.linear(self.vera_lambda_d * F.linear(self.dropout(x), down), up)

    def merged(self) -> nn.Module:
        """A plain linear layer of W + diag(λ_b) B diag(λ_d) A and b; the base stays as it is."""
        up, down = self.shared()
        return plus_delta(self.base, (self.vera_lambda_b[:, None] * up) @ (self.vera_lambda_d[:, None] * down))


@dataclass(frozen=True)
class VeraConfig(PeftConfig):
    """Names and defaults of Hugging Face PEFT's VeraConfig.

    `r`                     the rank; it may be larger than a layer's sides: only two vectors are trained for each
    `target_modules`        which linear layers (targets.py)
    `exclude_modules`       those of them that get none
    `projection_prng_key`   the seed of A and B
    `save_projection`       whether A and B are saved too; without them the seed makes them again
    `vera_dropout`          the probability with which a feature of x is left out of the update in training
    `d_initial`             λ_d at the start
    `init_weights`          False: λ_b = 1 and a random λ_d, for tests
    """

    r: int = 256
    target_modules: str | Collection[str] = ("q_proj", "v_proj")
    exclude_modules: Collection[str] = ()
    projection_prng_key: int = 0
    save_projection: bool = True
    vera_dropout: float = 0.0
    d_initial: float = 0.1
    init_weights: bool = True
    peft_type: ClassVar[str] = "VERA"

    def check(self) -> None:
        """Raises ValueError for an impossible rank or dropout, and for a start at which no gradient flows."""
        check_size("rank", self.r)
        if not 0.0 <= self.vera_dropout < 1.0:
            raise ValueError(f"vera_dropout is a probability in [0, 1), not {self.vera_dropout}")
        if self.init_weights and self.d_initial == 0:
            raise ValueError("d_initial 0 beside λ_b = 0: neither would ever get a gradient; 0.1 is usual")

    def place(self, model: nn.Module) -> Placement:
        """A layer around each target, all with the same A and B, as large as the largest target."""
        targets: Mapping[str, Any] = target_linears(self, model, self.target_modules, self.exclude_modules)
        d_in = max(base.in_features for base in targets.values())
        d_out = max(base.out_features for base in targets.values())
        shared = Projections(self.r, d_in, d_out, self.projection_prng_key, self.save_projection)
        settings = (self.vera_dropout, self.d_initial, self.init_weights)
        return Placement({path: VeraLinear(base, shared, *settings) for path, base in targets.items()}, shared=shared)
