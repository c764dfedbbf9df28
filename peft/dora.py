"""DoRA: LoRA turns the rows of a weight matrix, and each row's length is learned apart.

    V = W + (α/r) B A        y = b + (m / ‖V‖) ⊙ V x        ‖V‖: the length of each row, a constant for the gradient

Changes   a weight matrix (place 1)               Identity at start   yes: B = 0 and m = ‖W‖
Trains    r (d_in + d_out) + d_out per layer      Merges              yes: W ← diag(m / ‖V‖) V
Dropout   y = W x + b + (m / ‖V‖ - 1) ⊙ W x' + (m / ‖V‖) ⊙ (α/r) B A x' with x' = dropout(x), as in Hugging Face PEFT
Paper     "DoRA" (arXiv 2402.09353), with the gradient of section 4.3; with rsLoRA's scale, α/√r
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import in_full_precision
from peft.frame.layers import ChangingLayer
from peft.frame.weights import rewritten, weight_of
from peft.low_rank import LowRankLayer, product

SMALLEST = 1e-30
"""The length of a row of zeros, so that dividing by it stays finite."""


def row_lengths(weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, " d_out"]:
    """‖V‖, at least SMALLEST."""
    return torch.linalg.vector_norm(weight, dim=1).clamp_min(SMALLEST)


class DoraLinear(LowRankLayer, ChangingLayer, variant="dora"):
    """A frozen linear layer whose rows are turned by a low-rank update and stretched by a magnitude."""

    def start(self) -> None:
        """m = ‖W‖"""
        self.lora_magnitude_vector = nn.Parameter(row_lengths(weight_of(self.base).detach()))

    @torch.no_grad()
    @in_full_precision
    def directions(self) -> Float[Tensor, "d_out d_in"]:
        """V, always in full precision: its lengths must be those that the magnitudes were taken from."""
        return weight_of(self.base) + product(self.lora_B, self.lora_A, self.scaling)

    def stretch(self) -> Float[Tensor, " d_out"]:
        """m / ‖V‖. `directions` passes no gradient on, so the rows learn as if their lengths were fixed."""
        return self.lora_magnitude_vector / row_lengths(self.directions())

    def change(
        self, x: Float[Tensor, "*batch d_in"], y: Float[Tensor, "*batch d_out"]
    ) -> Float[Tensor, "*batch d_out"]:
        """What is added to y = W x + b: (m / ‖V‖ - 1) ⊙ W x' + (m / ‖V‖) ⊙ (α/r) B A x'.

        W x' is y - b where x' = x; with dropout, in training, it is a product of its own.
        """
        stretch, unturned = self.stretch(), y if self.base.bias is None else y - self.base.bias
        if self.training and self.dropout.p > 0.0:
            x = self.dropout(x)
            unturned = F.linear(x, weight_of(self.base))
        update = self.lora_B(self.scaling * self.lora_A(x))
        return (stretch - 1) * unturned + stretch * update

    def merged(self) -> nn.Module:
        """A plain linear layer of diag(m / ‖V‖) V and b; the base stays as it is."""
        return rewritten(self.base, self.stretch()[:, None] * self.directions(), self.base.bias)
