"""PiSSA: LoRA that starts at the weight matrix's own principal directions instead of at zero.

    W = U Σ Vᵀ        A₀ = √(Σ_r / s) V_rᵀ,  B₀ = U_r √(Σ_r / s)        s = α/r, or α/√r for rsLoRA

    y = W x + b + s (B A dropout(x) - B₀ A₀ x)        A and B start at A₀ and B₀

The paper puts W - s B₀ A₀ into the base. Here W stays as it is, and the start is subtracted beside it: the same sum, and
the base is still the base for every other adapter.

Changes   a weight matrix (place 1)        Identity at start   yes: B A = B₀ A₀
Trains    r (d_in + d_out) per layer       Merges              yes: W ← W + s (B A - B₀ A₀)
Saved     as the LoRA that it is, of rank 2 r: s [B, -B₀] [A; A₀]
Paper     "PiSSA" (arXiv 2404.02948)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.layers import AdditiveLayer, up_product
from peft.frame.weights import own_copy, plus_delta, weight_of
from peft.low_rank import LowRankLayer, product


def principal_factors(
    weight: Float[Tensor, "d_out d_in"], rank: int, scaling: float
) -> tuple[Float[Tensor, "d_out rank"], Float[Tensor, "rank d_in"]]:
    """B₀ and A₀: scaling · B₀ A₀ is the best approximation of the matrix that has this rank."""
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    root = (values[:rank] / scaling).sqrt()
    return left[:, :rank] * root, root[:, None] * right[:rank]


class PissaLinear(LowRankLayer, AdditiveLayer, variant="pissa"):
    """A frozen linear layer and what its principal directions have become, less what they were."""

    def start(self) -> None:
        """A and B at A₀ and B₀, which are kept beside them."""
        up, down = principal_factors(weight_of(self.base).detach(), self.lora_A.out_features, self.scaling)
        self.lora_A.weight, self.lora_B.weight = own_copy(down), own_copy(up)
        self.register_buffer("start_A", self.lora_A.weight.detach().clone())
        self.register_buffer("start_B", self.lora_B.weight.detach().clone())

    def delta(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """s (B A dropout(x) - B₀ A₀ x), which is added to the base's output."""
        start = up_product(self.scaling * F.linear(x, self.start_A), self.start_B)
        return self.lora_B(self.scaling * self.lora_A(self.dropout(x))) - start

    def merged(self) -> nn.Module:
        """A plain linear layer of W + s (B A - B₀ A₀) and b; the base stays as it is."""
        change = product(self.lora_B, self.lora_A, self.scaling) - self.scaling * (self.start_B @ self.start_A)
        return plus_delta(self.base, change)

    def saved(self) -> dict[str, Tensor]:
        """A and B, and where they started."""
        return super().saved() | {"start_A": self.start_A, "start_B": self.start_B}
