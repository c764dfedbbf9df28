"""Adapters: a small network of its own behind, around or beside a frozen sub-layer.

    bottleneck(h) = W_up φ(W_down h + b_down) + b_up        W_down ∈ R^{m × d},  W_up ∈ R^{d × m}

    houlsby    h + bottleneck(h)              h: a sub-layer's output after its dropout, before the residual; φ = GELU
    pfeiffer   f + bottleneck(Norm(x + f))    f: the feed-forward's output, x: its residual; then Add & Norm; φ = ReLU
               f + bottleneck(f)              in pre-norm order, where no norm follows the residual
    parallel   FFN(x) + s · bottleneck(x)     s = 4, φ = ReLU

Changes   the output of a sub-layer (place 2); houlsby besides the LayerNorms (place 5), on each of which 2 d are trained
Trains    2 d m + m + d per adapter: houlsby 2 per encoder layer and 3 per decoder layer (2 without the site "cross"),
          pfeiffer and parallel 1 per layer
Identity at start   parallel: yes, W_up = 0; the others nearly: σ = 0.001 and 0.02        Merges   no: φ is not linear
Papers    houlsby "Parameter-Efficient Transfer Learning for NLP" (arXiv 1902.00751), σ = 0.001 as in the authors' code, not
          0.01 as in the text; pfeiffer "AdapterFusion" (arXiv 2005.00247); parallel "Towards a Unified View" (arXiv 2110.04366)
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import SideNetwork
from peft.frame.config import PeftConfig, Placement, check_size
from peft.frame.layers import AdaptedLayer, AdditiveLayer
from peft.frame.owned import parameters_of
from transformer.add_norm import LayerNorm, RMSNorm
from transformer.feed_forward import ACTIVATIONS


class Bottleneck(SideNetwork):
    """d features → m, a non-linearity, and back to d."""

    def __init__(self, d_model: int, bottleneck: int, style: str):
        super().__init__()
        self.down = nn.Linear(d_model, bottleneck)
        self.up = nn.Linear(bottleneck, d_model)
        self.activation = "gelu" if style == "houlsby" else "relu"
        for linear in (self.down, self.up):
            nn.init.zeros_(linear.bias)
            if style == "houlsby":
                nn.init.trunc_normal_(linear.weight, std=1e-3, a=-2e-3, b=2e-3)
            elif style == "pfeiffer":
                nn.init.normal_(linear.weight, std=0.02)
        if style == "parallel":
            nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
            nn.init.zeros_(self.up.weight)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """W_up φ(W_down x + b_down) + b_up, with the style's own φ and no residual."""
        return self.up(ACTIVATIONS[self.activation](self.down(x)))


class HoulsbyAdapter(AdaptedLayer):
    """Around the dropout of Add & Norm: the last thing that happens to a sub-layer's output before the residual."""

    merges = False

    def __init__(self, base: nn.Module, bottleneck: Bottleneck):
        super().__init__(base)
        self.adapter = bottleneck

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
        """h + bottleneck(h)"""
        h = self.base(x)
        return h + self.adapter(h)


class PfeifferAdapter(AdaptedLayer):
    """Around a whole Add & Norm: the adapter reads what the norm makes of the residual sum, then the norm comes again."""

    merges = False

    def __init__(self, base: nn.Module, bottleneck: Bottleneck):
        super().__init__(base)
        self.adapter = bottleneck

    def forward(
        self, x: Float[Tensor, "batch time d_model"], sublayer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "batch time d_model"]:
        """Norm(x + f + bottleneck(Norm(x + f))), f = dropout(sublayer(x)); pre-norm x + f + bottleneck(f), f of Norm(x)."""
        if self.base.order == "pre":
            f = self.base.dropout(sublayer(self.base.norm(x)))
            return x + (f + self.adapter(f))
        f = self.base.dropout(sublayer(x))
        return self.base.norm(x + (f + self.adapter(self.base.norm(x + f))))


class ParallelAdapter(AdditiveLayer):
    """Beside the feed forward, on the same input."""

    merges = False

    def __init__(self, base: nn.Module, bottleneck: Bottleneck, scaling: float):
        super().__init__(base)
        self.adapter = bottleneck
        self.scaling = scaling

    def delta(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """s · bottleneck(x), which is added to the feed forward's output."""
        return self.scaling * self.adapter(x)


TARGETS = {
    "houlsby": ("self_attention_norm.dropout", "cross_attention_norm.dropout", "feed_forward_norm.dropout"),
    "pfeiffer": ("feed_forward_norm",),
    "parallel": ("feed_forward",),
}


@dataclass(frozen=True)
class AdapterConfig(PeftConfig):
    """Which style, and how narrow; Hugging Face PEFT has no such adapters.

    `style`        "houlsby", "pfeiffer" or "parallel"
    `bottleneck`   m, how many features the adapter narrows to
    `scaling`      s of the parallel style; the others have no factor
    """

    style: str = "houlsby"
    bottleneck: int = 16
    scaling: float = 4.0
    peft_type: ClassVar[str] = "ADAPTER"

    def check(self) -> None:
        """Raises ValueError for an unknown style, an empty bottleneck, and a scaling where there is none."""
        if self.style not in TARGETS:
            raise ValueError(f"style is one of {', '.join(TARGETS)}, not {self.style!r}")
        check_size("bottleneck", self.bottleneck)
        if self.style != "parallel" and self.scaling != 4.0:
            raise ValueError(f"scaling {self.scaling} belongs to the parallel style; {self.style} has no factor")

    def place(self, model: nn.Module) -> Placement:
        """An adapter at each of the style's targets; for houlsby the norms within `sites` too."""
        targets = self.named(model, TARGETS[self.style])
        layers = {path: self.layer(base, model.config.d_model) for path, base in targets.items()}
        norms = [name for name, _, module, _ in parameters_of(model) if isinstance(module, LayerNorm | RMSNorm)]
        trained = tuple(name for name in norms if self.style == "houlsby" and self.covers(name))
        return Placement(layers, trained)

    def layer(self, base: nn.Module, d_model: int) -> AdaptedLayer:
        """The style's layer around a base module, with an adapter of its own."""
        bottleneck = Bottleneck(d_model, self.bottleneck, self.style)
        if self.style == "parallel":
            return ParallelAdapter(base, bottleneck, self.scaling)
        return (HoulsbyAdapter if self.style == "houlsby" else PfeifferAdapter)(base, bottleneck)
