"""IA3: the network turns its own features up or down, one learned factor for each.

    k = l_k ⊙ (W_k x + b_k)        v = l_v ⊙ (W_v x + b_v)        FFN(x) = W_2 (l_f ⊙ φ(W_1 x + b_1)) + b_2

Changes   a weight matrix (place 1)        Identity at start   yes: every factor is 1
Trains    2 d per attention, d_ff per      Merges              yes: W ← diag(l) W, b ← l ⊙ b for keys and values;
          feed forward (d = d_model)                           W_2 ← W_2 diag(l), b_2 as it is
Paper     "Few-Shot Parameter-Efficient Fine-Tuning" (arXiv 2205.05638)
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import in_one_type
from peft.frame.config import PeftConfig, Placement
from peft.frame.layers import AdaptedLayer
from peft.frame.targets import check_named, is_named, linears, target_linears
from peft.frame.weights import rewritten, weight_of


@in_one_type
def scaled(
    features: Float[Tensor, "*batch features"], factors: Float[Tensor, "..."]
) -> Float[Tensor, "*batch features"]:
    """l ⊙ x: one factor for each feature, as a row or as a column."""
    return factors.flatten() * features


class IA3Linear(AdaptedLayer):
    """A frozen linear layer with a factor for each of its outputs or, in the feed forward, each of its inputs."""

    def __init__(self, base: nn.Module, feedforward: bool = False, init_ia3_weights: bool = True):
        super().__init__(base)
        self.feedforward = feedforward
        shape = (1, base.in_features) if feedforward else (base.out_features, 1)
        self.ia3_l = nn.Parameter(torch.ones(shape) if init_ia3_weights else torch.randn(shape))

    def forward(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """l ⊙ (W x + b); in the feed forward W (l ⊙ x) + b."""
        if self.feedforward:
            return self.base(scaled(x, self.ia3_l))
        return scaled(self.base(x), self.ia3_l)

    def merged(self) -> nn.Module:
        """A plain linear layer of the same numbers; the base stays as it is, and may have no bias."""
        bias = self.base.bias
        if bias is not None and not self.feedforward:
            bias = scaled(bias, self.ia3_l)
        return rewritten(self.base, self.ia3_l * weight_of(self.base), bias)


@dataclass(frozen=True)
class IA3Config(PeftConfig):
    """Names of Hugging Face PEFT's IA3Config.

    `target_modules`        which linear layers (targets.py)
    `feedforward_modules`   those of them that are scaled at the input
    `exclude_modules`       those of the targets that get none
    `init_ia3_weights`      False: random factors, for tests
    """

    target_modules: str | Collection[str] = ("k_proj", "v_proj", "fc2")
    feedforward_modules: str | Collection[str] = ("fc2",)
    exclude_modules: Collection[str] = ()
    init_ia3_weights: bool = True
    peft_type: ClassVar[str] = "IA3"

    def check(self) -> None:
        """Raises ValueError for feedforward_modules that are no target_modules, where both are lists."""
        if isinstance(self.target_modules, str) or isinstance(self.feedforward_modules, str):
            return
        if extra := set(self.feedforward_modules) - set(self.target_modules):
            raise ValueError(
                f"feedforward_modules {', '.join(sorted(extra))} are no target_modules; "
                f"those are {', '.join(self.target_modules)}"
            )

    def place(self, model: nn.Module) -> Placement:
        """A layer around each target. Raises ValueError for a feedforward module that is none, but for the default."""
        targets = target_linears(self, model, self.target_modules, self.exclude_modules)
        if self.feedforward_modules != IA3Config.feedforward_modules:
            check_named("feedforward module", self.feedforward_modules, linears(model))
        return Placement(
            {
                path: IA3Linear(base, is_named(self.feedforward_modules, path), self.init_ia3_weights)
                for path, base in targets.items()
            }
        )
