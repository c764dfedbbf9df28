"""BitFit: only the biases are trained.

    y = W x + b        LayerNorm(x) = g ⊙ x̂ + b        every b, no W and no g

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    L_e (7d + f) + L_d (12d + f), plus d for each      Merges              yes: the copy takes the base's place
          norm after a whole stack (d = d_model, f = d_ff)
Note      a key's bias gets no gradient: q · b_K is the same for every key, and softmax does not see it
Paper     "BitFit" (2106.10199)
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
class BitFitConfig(PeftConfig):
    """Which biases: all of them, linear layers' and norms', within `sites`."""

    peft_type: ClassVar[str] = "BITFIT"

    def place(self, model: nn.Module) -> Placement:
        biases = tuple(name for name, *_ in parameters_of(model) if name.endswith(".bias") and self.covers(name))
        if not biases:
            raise ValueError("this base has no bias to train within the sites " + ", ".join(self.sites))
        return Placement(parameters=biases)
