"""DoRA: LoRA turns the rows of a weight matrix, and each row's length is learned apart.

    V = W + (α/r) B A        y = b + (m / ‖V‖) ⊙ V x        ‖V‖: the length of each row, a constant for the gradient

Changes   a weight matrix (place 1)               Identity at start   yes: B = 0 and m = ‖W‖
Trains    r (d_in + d_out) + d_out per layer      Merges              yes: W ← diag(m / ‖V‖) V
Dropout   y = W x + b + (m / ‖V‖ - 1) ⊙ W x' + (m / ‖V‖) ⊙ (α/r) B A x' with x' = dropout(x), as in the published library
Paper     "DoRA" (2402.09353), with the gradient of section 4.3; with rsLoRA's scale, α/√r
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.layers import AdaptedLayer, adapter_dtype, own_precision
from peft.frame.registry import lora_variant
from peft.frame.weights import device_of, rewritten, weight_of
from peft.low_rank import Initialization, check_rank, new_factors, product, scaling_of
from quant.precision import without_autocast


def row_lengths(weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, " d_out"]:
    """‖V‖. A row of zeros gets the smallest length there is, so that dividing by it stays finite."""
    return torch.linalg.vector_norm(weight, dim=1).clamp_min(torch.finfo(weight.dtype).tiny)


@lora_variant("dora")
class DoraLinear(AdaptedLayer):
    """A frozen linear layer whose rows are turned by a low-rank update and stretched by a magnitude."""

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
        self.lora_A, self.lora_B = new_factors(
            base.in_features, base.out_features, rank, initialization, device_of(base), adapter_dtype(base)
        )
        self.dropout = nn.Dropout(dropout)
        self.lora_magnitude_vector = nn.Parameter(row_lengths(self.directions()))

    @torch.no_grad()
    def directions(self) -> Float[Tensor, "d_out d_in"]:
        """V, in full precision also under autocast: its lengths must be those that the magnitudes were taken from."""
        with without_autocast(self.lora_A.weight):
            delta = product(self.lora_B, self.lora_A, self.scaling)
            return weight_of(self.base).to(delta.dtype) + delta

    def stretch(self) -> Float[Tensor, " d_out"]:
        """m / ‖V‖. `directions` passes no gradient on, so the rows learn as if their lengths were fixed."""
        return self.lora_magnitude_vector / row_lengths(self.directions())

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        y, stretch, bias = self.base(x), self.stretch(), self.base.bias
        if self.training and self.dropout.p > 0.0:
            x = self.dropout(x)
            turned = F.linear(x, weight_of(self.base).to(x.dtype))
        else:
            turned = y if bias is None else y - bias
        update = self.lora_B(self.scaling * self.lora_A(own_precision(x, self.lora_A.weight.dtype)))
        return y + ((stretch - 1) * turned + stretch * update).to(y.dtype)

    def merged(self) -> nn.Module:
        return rewritten(self.base, self.stretch()[:, None] * self.directions(), self.base.bias)
