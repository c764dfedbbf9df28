"""PiSSA: LoRA that starts at the weight matrix's own principal directions instead of at zero.

    W = U Σ Vᵀ        A₀ = √(Σ_r / s) V_rᵀ,  B₀ = U_r √(Σ_r / s)        s = α/r

    y = W x + b + s (B A dropout(x) - B₀ A₀ x)        A and B start at A₀ and B₀

The paper puts W - s B₀ A₀ into the base. Here W stays as it is, and the start is subtracted beside it: the same sum, and
the base is still the base for every other adapter.

Changes   a weight matrix (place 1)        Identity at start   yes: B A = B₀ A₀
Trains    r (d_in + d_out) per layer       Merges              yes: W ← W + s (B A - B₀ A₀)
Saved     as the LoRA that it is, of rank 2 r and with 2 α: s [B, -B₀] [A; A₀]
Paper     "PiSSA" (2404.02948)
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.layers import AdditiveLayer, adapter_dtype, own_precision
from peft.frame.registry import lora_variant
from peft.frame.targets import pattern_value
from peft.frame.weights import device_of, plus_delta, weight_of
from peft.low_rank import Initialization, at_most_full_rank, check_rank, new_factors, product, scaling_of, up_product


def principal_factors(
    weight: Float[Tensor, "d_out d_in"], rank: int, scaling: float
) -> tuple[Float[Tensor, "d_out rank"], Float[Tensor, "rank d_in"]]:
    """B₀ and A₀: scaling · B₀ A₀ is the best approximation of the matrix that has this rank."""
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    return left[:, :rank] * root, root[:, None] * right[:rank]


@lora_variant("pissa")
class PissaLinear(AdditiveLayer):
    """A frozen linear layer and what its principal directions have become, less what they were."""

    def __init__(
        self,
        base: nn.Module,
        rank: int,
        alpha: float,
        dropout: float = 0.0,
        use_rslora: bool = False,
        initialization: Initialization = "pissa",
    ):
        super().__init__(base)
        check_rank(rank, base.in_features, base.out_features, type(base).__name__)
        self.scaling = scaling_of(rank, alpha, use_rslora)
        kind = (device_of(base), adapter_dtype(base))
        self.lora_A, self.lora_B = new_factors(base.in_features, base.out_features, rank, initialization, *kind)
        factors = principal_factors(weight_of(base).detach().to(kind[1]), rank, self.scaling)
        up, down = (factor.contiguous() for factor in factors)  # laid out like A and B, to cancel to the last bit
        self.register_buffer("start_A", down)
        self.register_buffer("start_B", up)
        self.lora_A.weight.data.copy_(down)
        self.lora_B.weight.data.copy_(up)
        self.dropout = nn.Dropout(dropout)

    def delta(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        x = own_precision(x, self.lora_A.weight.dtype)
        start = up_product(self.scaling * F.linear(x, self.start_A), self.start_B)
        return self.lora_B(self.scaling * self.lora_A(self.dropout(x))) - start

    def merged(self) -> nn.Module:
        change = product(self.lora_B, self.lora_A, self.scaling) - self.scaling * (self.start_B @ self.start_A)
        return plus_delta(self.base, change)

    def saved(self) -> dict[str, Tensor]:
        return super().saved() | {"start_A": self.start_A, "start_B": self.start_B}

    @staticmethod
    def exported(config: Any, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Any]:
        """Plain LoRA: [B, -B₀] and [A; A₀], and a config of twice the rank with the same scaling."""
        grown = dict(tensors)
        power = 0.5 if config.use_rslora else 1.0
        rank, alpha = 2 * config.r, 2**power * config.lora_alpha
        ranks: dict[str, int] = {}
        alphas: dict[str, float] = {}
        for name in [name for name in tensors if name.endswith(".start_A")]:
            layer = name.removesuffix(".start_A")
            up = torch.cat([grown[f"{layer}.lora_B.weight"], -grown.pop(f"{layer}.start_B")], dim=1)
            down = torch.cat([grown[f"{layer}.lora_A.weight"], grown.pop(f"{layer}.start_A")])
            up, down = at_most_full_rank(up, down)
            grown |= {f"{layer}.lora_B.weight": up, f"{layer}.lora_A.weight": down}
            path = layer.removeprefix("base_model.model.")
            own_rank = pattern_value(config.rank_pattern, path, config.r)
            ranks[path] = down.shape[0]
            alphas[path] = pattern_value(config.alpha_pattern, path, config.lora_alpha)
            alphas[path] *= (down.shape[0] / own_rank) ** power
        return grown, replace(
            config,
            r=rank,
            lora_alpha=alpha,
            init_lora_weights=True,
            rank_pattern={path: own for path, own in ranks.items() if own != rank},
            alpha_pattern={path: own for path, own in alphas.items() if not math.isclose(own, alpha)},
        )

    @staticmethod
    def imported(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A folder that was not converted holds A and B only; the start is that of the base."""
        starts = {name: tensor for name, tensor in wanted.items() if name.endswith((".start_A", ".start_B"))}
        return {**starts, **tensors}
