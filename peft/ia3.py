"""IA3: the network turns its own features up or down, one learned factor for each.

    k = l_k ⊙ (W_k x + b_k)        v = l_v ⊙ (W_v x + b_v)        FFN(x) = W_2 (l_f ⊙ φ(W_1 x + b_1)) + b_2

Changes   a weight matrix (place 1)        Identity at start   yes: every factor is 1
Trains    2 d per attention, d_ff per      Merges              yes: W ← diag(l) W, b ← l ⊙ b for keys and values;
          feed forward (d = d_model)                           W_2 ← W_2 diag(l), b_2 as it is
Paper     "Few-Shot Parameter-Efficient Fine-Tuning" (2205.05638)
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig
from peft.frame.layers import AdaptedLayer, Placement, adapter_dtype
from peft.frame.registry import register
from peft.frame.targets import is_named, target_linears
from peft.frame.weights import device_of, rewritten, weight_of


class IA3Linear(AdaptedLayer):
    """A frozen linear layer with a factor for each of its outputs or, in the feed forward, each of its inputs."""

    def __init__(self, base: nn.Module, feedforward: bool = False, init_ia3_weights: bool = True):
        super().__init__(base)
        self.feedforward = feedforward
        shape = (1, base.in_features) if feedforward else (base.out_features, 1)
        start = torch.ones(shape) if init_ia3_weights else torch.randn(shape)
        self.ia3_l = nn.Parameter(start.to(device=device_of(base), dtype=adapter_dtype(base)))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        if self.feedforward:
            return self.base(self.scaled(x))
        return self.scaled(self.base(x))

    def scaled(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        return self.ia3_l.flatten().to(x.dtype) * x

    def merged(self) -> nn.Module:
        bias = self.base.bias
        if bias is not None and not self.feedforward:
            bias = self.scaled(bias)
        return rewritten(self.base, self.ia3_l * weight_of(self.base), bias)


@register
@dataclass(frozen=True)
class IA3Config(PeftConfig):
    """Names of the published IA3Config.

    `target_modules`        which linear layers (targets.py)
    `feedforward_modules`   those of them that are scaled at the input
    `init_ia3_weights`      False: random factors, for tests
    """

    target_modules: str | Collection[str] = ("k_proj", "v_proj", "fc2")
    feedforward_modules: str | Collection[str] = ("fc2",)
    exclude_modules: Collection[str] = ()
    init_ia3_weights: bool = True
    peft_type: ClassVar[str] = "IA3"

    def check(self) -> None:
        if isinstance(self.target_modules, str) or isinstance(self.feedforward_modules, str):
            return
        if extra := set(self.feedforward_modules) - set(self.target_modules):
            raise ValueError(
                f"feedforward_modules {', '.join(sorted(extra))} are no target_modules; "
                f"those are {', '.join(self.target_modules)}"
            )

    def place(self, model: nn.Module) -> Placement:
        targets = target_linears(self, model, self.target_modules, self.exclude_modules)
        return Placement(
            {
                path: IA3Linear(base, is_named(self.feedforward_modules, path), self.init_ia3_weights)
                for path, base in targets.items()
            }
        )
