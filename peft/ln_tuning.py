"""LayerNorm tuning: only the gains and the biases of the norms are trained; of an RMSNorm the gains, which are all it has.

    LayerNorm(x) = g ⊙ (x - mean(x)) / √(var(x) + ε) + b        every g and b, and nothing else

Changes   a parameter that is already there (place 5)        Identity at start   yes
Trains    2 d (2 L_e + 3 L_d), plus 2 d for each norm        Merges              yes: the copy takes the base's place
          after a stack or after the embeddings (d = d_model)
Paper     "Tuning LayerNorm in Attention" (arXiv 2312.11420)
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from peft.frame.config import Placement
from peft.frame.paths import base_modules
from peft.frame.targets import chosen
from peft.huggingface.ln_tuning import LNTuningFiles
from transformer.add_norm import LayerNorm, RMSNorm


@dataclass(frozen=True)
class LNTuningConfig(LNTuningFiles):
    """Names of Hugging Face PEFT's LNTuningConfig.

    `target_modules`     which norms: paths, their last parts or a regular expression; None means all within `sites`
    `exclude_modules`    those of them that are not trained
    """

    target_modules: str | Collection[str] | None = None
    exclude_modules: Collection[str] = ()
    peft_type: ClassVar[str] = "LN_TUNING"

    def fitted(self, model: nn.Module) -> "LNTuningConfig":
        """With the paths of the norms, so that a saved adapter says which they are."""
        return replace(self, target_modules=tuple(self.norms(model)), exclude_modules=())

    def place(self, model: nn.Module) -> Placement:
        """A copy of the gain and the bias of each norm."""
        norms = self.norms(model).items()
        return Placement(
            parameters=tuple(f"{path}.{name}" for path, norm in norms for name, _ in norm.named_parameters())
        )

    def norms(self, model: nn.Module) -> dict[str, nn.Module]:
        """The base's norms that the targets name and the exclusions do not, by path.

        All of them where `target_modules` is None. Raises ValueError for a target that is no norm.
        """
        every = {path: module for path, module in base_modules(model) if isinstance(module, LayerNorm | RMSNorm)}
        wanted = tuple(every) if self.target_modules is None else self.target_modules
        return chosen(self, every, wanted, self.exclude_modules, "LayerNorm")
