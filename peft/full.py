"""Full fine-tuning: every parameter of the base is trained.

    θ ← θ - η ∇L(θ)        for all θ

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    everything, 100 %                                  Merges              yes: the copy takes the base's place
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from peft.frame.config import PeftConfig, Placement
from peft.frame.owned import parameters_of


@dataclass(frozen=True)
class FullConfig(PeftConfig):
    """Nothing to choose but `sites`, the part of the base that is trained: all of it by default."""

    peft_type: ClassVar[str] = "FULL"

    def place(self, model: nn.Module) -> Placement:
        """A copy of every parameter within `sites`, tied ones under each of their names."""
        return Placement(parameters=tuple(name for name, _, _, _ in parameters_of(model) if self.covers(name)))
