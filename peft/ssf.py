"""SSF: scale and shift the features after every operation.

    y = γ ⊙ op(x) + β        op: each linear layer of attention and feed forward (before φ), and each LayerNorm

Changes   weight matrices (place 1) and what the norms put out (place 2)
Trains    2 d_out for each linear layer, 2 d for each LayerNorm (d = d_model): 14 d + 2 d_ff per encoder layer, 24 d + 2 d_ff
          per decoder layer, 2 d for a norm after a stack or after the embeddings
Identity at start   nearly, as in the paper: γ ~ N(1, 0.02²), β ~ N(0, 0.02²); with init="identity" exactly
Merges    yes: W ← diag(γ) W, b ← γ ⊙ b + β, and a norm's gain and bias in the same way
Paper     "Scaling & Shifting Your Features" (arXiv 2210.08823)
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import in_one_type
from peft.frame.config import PeftConfig, Placement
from peft.frame.layers import AdaptedLayer
from peft.frame.paths import VOCABULARY, base_modules
from peft.frame.targets import is_linear
from peft.frame.weights import norm_like, rewritten, weight_of
from transformer.add_norm import LayerNorm


@in_one_type
def scale_and_shift(
    y: Float[Tensor, "*batch d_out"], scale: Float[Tensor, " d_out"], shift: Float[Tensor, " d_out"]
) -> Float[Tensor, "*batch d_out"]:
    """γ ⊙ y + β"""
    return scale * y + shift


class ScaledShifted(AdaptedLayer):
    """A frozen linear layer or LayerNorm, then a factor and a shift for each of its outputs."""

    def __init__(self, base: nn.Module, init: str = "paper"):
        super().__init__(base)
        features = base.out_features if is_linear(base) else base.weight.shape[0]
        scale, shift = torch.ones(features), torch.zeros(features)
        if init == "paper":
            scale, shift = scale + 0.02 * torch.randn(features), 0.02 * torch.randn(features)
        self.ssf_scale = nn.Parameter(scale)
        self.ssf_shift = nn.Parameter(shift)

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """γ ⊙ op(x) + β"""
        return scale_and_shift(self.base(x), self.ssf_scale, self.ssf_shift)

    def merged(self) -> nn.Module:
        """A plain linear layer or LayerNorm of the same numbers; the base stays as it is. One without a bias gains one."""
        shift = self.ssf_shift.detach()
        bias = shift if self.base.bias is None else scale_and_shift(self.base.bias, self.ssf_scale, shift)
        if is_linear(self.base):
            return rewritten(self.base, self.ssf_scale[:, None] * weight_of(self.base), bias)
        return norm_like(self.base, self.ssf_scale * self.base.weight, bias)


@dataclass(frozen=True)
class SSFConfig(PeftConfig):
    """Every linear layer and LayerNorm within `sites`. A task's new head is trained as one of `modules_to_save`.

    `init`    how γ and β start: "paper" (nearly the identity, at random) or "identity"
    """

    init: str = "paper"
    peft_type: ClassVar[str] = "SSF"

    def check(self) -> None:
        """Raises ValueError for an unknown start."""
        if self.init not in ("paper", "identity"):
            raise ValueError(f'init is "paper" or "identity", not {self.init!r}')

    def place(self, model: nn.Module) -> Placement:
        """A layer around each operation but the projection onto the vocabulary."""
        operations = {
            path: module
            for path, module in base_modules(model)
            if (is_linear(module) or isinstance(module, LayerNorm)) and path not in VOCABULARY and self.covers(path)
        }
        if not operations:
            raise ValueError(f"this base has no operation to scale within the sites {', '.join(self.sites)}")
        return Placement({path: ScaledShifted(module, self.init) for path, module in operations.items()})
