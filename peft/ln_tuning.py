"""LayerNorm tuning: only the gains and the biases of the norms are trained.

    LayerNorm(x) = g ⊙ (x - mean(x)) / √(var(x) + ε) + b        every g and b, and nothing else

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    2 d (2 L_e + 3 L_d), plus 2 d for each norm        Merges              yes: the copy takes the base's place
          after a whole stack (d = d_model)
Paper     "Tuning LayerNorm in Attention" (2312.11420)
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from peft.frame.config import PeftConfig, base_modules
from peft.frame.layers import Placement
from peft.frame.registry import register
from peft.frame.targets import chosen
from transformer.add_norm import LayerNorm


@register
@dataclass(frozen=True)
class LNTuningConfig(PeftConfig):
    """Names of the published LNTuningConfig. `target_modules`: which norms; all of them within `sites` if it is None."""

    target_modules: str | Collection[str] | None = None
    exclude_modules: Collection[str] = ()
    peft_type: ClassVar[str] = "LN_TUNING"

    def fitted(self, model: nn.Module) -> "LNTuningConfig":
        return replace(self, target_modules=tuple(self.norms(model)), exclude_modules=())

    def place(self, model: nn.Module) -> Placement:
        return Placement(
            parameters=tuple(f"{path}.{name}" for path in self.norms(model) for name in ("weight", "bias"))
        )

    def norms(self, model: nn.Module) -> dict[str, nn.Module]:
        every = {path: module for path, module in base_modules(model) if isinstance(module, LayerNorm)}
        wanted = tuple(every) if self.target_modules is None else self.target_modules
        return chosen(self, every, wanted, self.exclude_modules, "LayerNorm")

    def key(self, path: str, name: str) -> str:
        return super().key(path, f"ln_tuning_layers.{name}" if path.endswith("norm") else name)
