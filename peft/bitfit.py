"""BitFit: only the biases are trained.

    y = W x + b        LayerNorm(x) = g ⊙ x̂ + b        every b, no W and no g

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    L_e (7 d + f) + L_d (12 d + f)                     Merges              yes: the copy takes the base's place
          (d = d_model, f = d_ff); and d for each norm after a stack or after the embeddings, vocab for an output's bias
Note      a key's bias gets no gradient: q · b_K is the same for every key, and softmax does not see it
Paper     "BitFit" (arXiv 2106.10199)
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from peft.frame.config import PeftConfig, Placement
from peft.frame.owned import parameters_of


@dataclass(frozen=True)
class BitFitConfig(PeftConfig):
    """Nothing to choose but `sites`: all biases within them are trained, those of linear layers and of norms."""

    peft_type: ClassVar[str] = "BITFIT"

    def place(self, model: nn.Module) -> Placement:
        """A copy of every bias within `sites`. Raises ValueError where there is none."""
        biases = tuple(name for name, *_ in parameters_of(model) if name.endswith(".bias") and self.covers(name))
        if not biases:
            raise ValueError("this base has no bias to train within the sites " + ", ".join(self.sites))
        return Placement(parameters=biases)
