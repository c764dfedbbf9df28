"""SSF: scale and shift the features after every operation.

    y = γ ⊙ op(x) + β        op: each linear layer of attention and feed forward (before φ), and each LayerNorm

Changes   weight matrices (place 1) and what the norms put out (place 2)
Trains    per encoder layer 14 d + 2 d_ff, per decoder layer 24 d + 2 d_ff, 2 d for a norm after a stack (d = d_model)
Identity at start   nearly, as in the paper: γ ~ N(1, 0.02²), β ~ N(0, 0.02²); with init="identity" exactly
Merges    yes: W ← diag(γ) W, b ← γ ⊙ b + β, and a norm's gain and bias in the same way
Paper     "Scaling & Shifting Your Features" (2210.08823)
"""

import copy
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig, base_modules
from peft.frame.layers import AdaptedLayer, Placement, adapter_dtype
from peft.frame.registry import register
from peft.frame.targets import is_linear
from peft.frame.weights import device_of, rewritten, weight_of
from transformer.add_norm import LayerNorm


def scale_and_shift(
    y: Float[Tensor, "*batch d_out"], scale: Float[Tensor, " d_out"], shift: Float[Tensor, " d_out"]
) -> Float[Tensor, "*batch d_out"]:
    """γ ⊙ y + β, in the precision of y."""
    scale, shift = scale.to(y.dtype), shift.to(y.dtype)
    return scale * y + shift


class ScaledShifted(AdaptedLayer):
    """A frozen linear layer or LayerNorm, then a factor and a shift for each of its outputs."""

    def __init__(self, base: nn.Module, init: str = "paper"):
        super().__init__(base)
        features = base.out_features if is_linear(base) else base.weight.shape[0]
        scale, shift = torch.ones(features), torch.zeros(features)
        if init == "paper":
            scale, shift = scale + 0.02 * torch.randn(features), 0.02 * torch.randn(features)
        device, dtype = device_of(base), adapter_dtype(base)
        self.ssf_scale = nn.Parameter(scale.to(device, dtype))
        self.ssf_shift = nn.Parameter(shift.to(device, dtype))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        return scale_and_shift(self.base(x), self.ssf_scale, self.ssf_shift)

    def merged(self) -> nn.Module:
        """A base without a bias gains one."""
        shift = self.ssf_shift.detach()
        bias = shift if self.base.bias is None else scale_and_shift(self.base.bias, self.ssf_scale, shift)
        if is_linear(self.base):
            return rewritten(self.base, self.ssf_scale[:, None] * weight_of(self.base), bias)
        norm = copy.deepcopy(self.base)
        norm.weight.data, norm.bias.data = (self.ssf_scale * norm.weight).to(norm.weight.dtype).detach(), bias.detach()
        return norm


@register
@dataclass(frozen=True)
class SSFConfig(PeftConfig):
    """`init` is "paper" or "identity". A task's new head is trained as one of `modules_to_save`."""

    init: str = "paper"
    peft_type: ClassVar[str] = "SSF"

    def check(self) -> None:
        if self.init not in ("paper", "identity"):
            raise ValueError(f'init is "paper" or "identity", not {self.init!r}')

    def place(self, model: nn.Module) -> Placement:
        operations = {
            path: module
            for path, module in base_modules(model)
            if (is_linear(module) or isinstance(module, LayerNorm)) and path != "output" and self.covers(path)
        }
        if not operations:
            raise ValueError(f"this base has no operation to scale within the sites {', '.join(self.sites)}")
        return Placement({path: ScaledShifted(module, self.init) for path, module in operations.items()})
