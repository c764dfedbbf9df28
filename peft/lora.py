"""LoRA: a frozen weight matrix learns through two thin matrices beside it.

    y = W x + b + (α/r) · B A dropout(x)        A ∈ R^{r × d_in},  B ∈ R^{d_out × r}

Changes   a weight matrix (place 1)        Identity at start   yes: B = 0
Trains    r (d_in + d_out) per layer       Merges              yes: W ← W + (α/r) B A
Papers    "LoRA" (arXiv 2106.09685); rsLoRA, scale α/√r: "A Rank Stabilization Scaling Factor" (arXiv 2312.03732)
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import Placement
from peft.frame.layers import AdditiveLayer
from peft.frame.targets import check_patterns, pattern_value, target_linears
from peft.frame.weights import plus_delta
from peft.huggingface.lora import LoraFiles
from peft.low_rank import Initialization, LowRankLayer, deltas_in_one_product, product


class LoraLinear(LowRankLayer, AdditiveLayer):
    """A frozen linear layer and its low-rank update."""

    deltas = staticmethod(deltas_in_one_product)

    def delta(self, x: Float[Tensor, "*batch d_in"]) -> Float[Tensor, "*batch d_out"]:
        """(α/r) · B A dropout(x), which is added to the base's output."""
        return self.lora_B(self.scaling * self.lora_A(self.dropout(x)))

    def merged(self) -> nn.Module:
        """A plain linear layer of W + (α/r) B A and b; the base stays as it is."""
        return plus_delta(self.base, product(self.lora_B, self.lora_A, self.scaling))


@dataclass(frozen=True)
class LoraConfig(LoraFiles):
    """Names and defaults of Hugging Face PEFT's LoraConfig.

    `r`, `lora_alpha`                  the rank and α
    `target_modules`                   which linear layers (targets.py); q_proj and v_proj in the paper
    `exclude_modules`                  those of them that get none
    `lora_dropout`                     the probability with which a feature of x is left out of the update in training
    `use_rslora`                       the scale α/√r
    `use_dora`                         DoRA (dora.py)
    `init_lora_weights`                True, "gaussian", False (both random, for tests), or another technique's start
    `rank_pattern`, `alpha_pattern`    path, last part of a path or regular expression → its own r or alpha
    `loftq_config`                     what the start "loftq" needs: a LoftQConfig or its fields (loftq.py)
    """

    r: int = 8
    target_modules: str | Collection[str] = ("q_proj", "v_proj")
    exclude_modules: Collection[str] = ()
    lora_alpha: float = 8
    lora_dropout: float = 0.0
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: Initialization = True
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    loftq_config: Any = field(default_factory=dict)
    peft_type: ClassVar[str] = "LORA"
    variants: ClassVar[dict[str, Any]] = LowRankLayer.variants

    def place(self, model: nn.Module) -> Placement:
        """A layer around each target, with the rank and the α of the pattern that its path matches."""
        layer_class = self.variants.get(self.variant, LoraLinear)
        targets = target_linears(self, model, self.target_modules, self.exclude_modules)
        check_patterns({**self.rank_pattern, **self.alpha_pattern}, targets)
        return Placement(
            {
                path: layer_class(
                    base,
                    pattern_value(self.rank_pattern, path, self.r),
                    pattern_value(self.alpha_pattern, path, self.lora_alpha),
                    self.lora_dropout,
                    self.use_rslora,
                    self.init_lora_weights,
                )
                for path, base in targets.items()
            }
        )

    @property
    def variant(self) -> str:
        """The relative of LoRA that this config asks for."""
        return "dora" if self.use_dora else str(self.init_lora_weights)

    def check(self) -> None:
        """Raises ValueError for an impossible rank, α or dropout, and for settings that do not go together."""
        if self.r < 1:
            raise ValueError(f"rank {self.r} must be at least 1")
        if wrong := [alpha for alpha in (self.lora_alpha, *self.alpha_pattern.values()) if alpha <= 0]:
            raise ValueError(f"lora_alpha and what alpha_pattern has must be above 0, not {wrong[0]}")
        if not 0.0 <= self.lora_dropout < 1.0:
            raise ValueError(f"lora_dropout is a probability in [0, 1), not {self.lora_dropout}")
        if self.use_dora and self.init_lora_weights in self.variants:
            raise ValueError(
                f"use_dora and init_lora_weights {self.init_lora_weights!r} do not go together: choose one"
            )
        if self.loftq_config and self.init_lora_weights != "loftq":
            raise ValueError(
                f'loftq_config {self.loftq_config} goes with init_lora_weights "loftq", not {self.init_lora_weights!r}'
            )
