"""Full fine-tuning: every parameter of the base is trained.

    θ ← θ - η ∇L(θ)        for all θ

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    everything, 100 %                                  Merges              yes: the copy takes the base's place
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from peft.frame.config import PeftConfig
from peft.frame.layers import Placement
from peft.frame.owned import parameters_of
from peft.frame.registry import register


@register
@dataclass(frozen=True)
class FullConfig(PeftConfig):
    """Nothing to choose but the sites."""

    peft_type: ClassVar[str] = "FULL"

    def place(self, model: nn.Module) -> Placement:
        return Placement(parameters=tuple(name for name, _, _, _ in parameters_of(model) if self.covers(name)))
