"""Adapters: a small network of its own behind, around or beside a frozen sub-layer.

    bottleneck(h) = W_up φ(W_down h + b_down) + b_up        W_down ∈ R^{m × d},  W_up ∈ R^{d × m}

    houlsby    h + bottleneck(h)              h: a sub-layer's output after its dropout, before the residual; φ = GELU
    pfeiffer   f + bottleneck(Norm(x + f))    f: the feed-forward's output, x: its residual; then Add & Norm; φ = ReLU
               f + bottleneck(f)              in pre-norm order, where no norm follows the residual
    parallel   FFN(x) + s · bottleneck(x)     s = 4, φ = ReLU

Changes   the output of a sub-layer (place 2); houlsby besides the LayerNorms (place 5), on each of which 2 d are trained
Trains    2 d m + m + d per adapter: houlsby 2 per encoder layer and 3 per decoder layer (2 without the site "cross"),
          pfeiffer and parallel 1 per layer
Identity at start   parallel: yes, W_up = 0; the others nearly: their matrices start with σ = 0.001 and 0.02
Merges    no: φ is not linear
Papers    "Parameter-Efficient Transfer Learning for NLP" (1902.00751); "AdapterFusion" (2005.00247), whose single adapter
          is pfeiffer; "Towards a Unified View" (2110.04366)
Note      Houlsby's text says σ = 0.01, the authors' code 0.001; this follows the code. Their new head: `modules_to_save`
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.config import PeftConfig, base_modules
from peft.frame.layers import AdaptedLayer, AdditiveLayer, Placement, adapter_dtype
from peft.frame.registry import register
from peft.frame.weights import device_of
from transformer.add_norm import LayerNorm
from transformer.feed_forward import ACTIVATIONS


class Bottleneck(nn.Module):
    """Narrow, bend, widen. What goes in and what comes out have the same size."""

    def __init__(self, d_model: int, bottleneck: int, style: str):
        super().__init__()
        self.down = nn.Linear(d_model, bottleneck)
        self.up = nn.Linear(bottleneck, d_model)
        self.activation = "gelu" if style == "houlsby" else "relu"
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)
        if style == "parallel":
            nn.init.kaiming_uniform_(self.down.weight, a=math.sqrt(5))
            nn.init.zeros_(self.up.weight)
            return
        for linear in (self.down, self.up):
            if style == "houlsby":
                nn.init.trunc_normal_(linear.weight, std=1e-3, a=-2e-3, b=2e-3)
            else:
                nn.init.normal_(linear.weight, std=0.02)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        narrow = ACTIVATIONS[self.activation](self.down(x.to(self.down.weight.dtype)))  # (*batch, bottleneck)
        return self.up(narrow).to(x.dtype)


class HoulsbyAdapter(AdaptedLayer):
    """Around the dropout of Add & Norm: the last thing that happens to a sub-layer's output before the residual."""

    merges = False

    def __init__(self, base: nn.Module, bottleneck: Bottleneck):
        super().__init__(base)
        self.adapter = bottleneck

    def forward(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch time d_model"]:
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
        return self.scaling * self.adapter(x)


PLACES = {
    "houlsby": ("self_attention_norm.dropout", "cross_attention_norm.dropout", "feed_forward_norm.dropout"),
    "pfeiffer": ("feed_forward_norm",),
    "parallel": ("feed_forward",),
}


@register
@dataclass(frozen=True)
class AdapterConfig(PeftConfig):
    """`bottleneck` is m; `scaling` is the parallel style's s. The published library has no adapters."""

    style: str = "houlsby"
    bottleneck: int = 16
    scaling: float = 4.0
    peft_type: ClassVar[str] = "ADAPTER"

    def check(self) -> None:
        if self.style not in PLACES:
            raise ValueError(f"style is one of {', '.join(PLACES)}, not {self.style!r}")
        if self.bottleneck < 1:
            raise ValueError(f"bottleneck {self.bottleneck} must be at least 1")
        if self.style != "parallel" and self.scaling != 4.0:
            raise ValueError(
                f"scaling {self.scaling} belongs to the parallel style; {self.style} adds without a factor"
            )

    def place(self, model: nn.Module) -> Placement:
        targets = self.named(model, PLACES[self.style])
        wrappers = {path: self.layer(base, self.new_bottleneck(model)) for path, base in targets.items()}
        return Placement(wrappers, parameters=self.norms(model) if self.style == "houlsby" else ())

    def layer(self, base: nn.Module, bottleneck: Bottleneck) -> AdaptedLayer:
        if self.style == "parallel":
            return ParallelAdapter(base, bottleneck, self.scaling)
        return (HoulsbyAdapter if self.style == "houlsby" else PfeifferAdapter)(base, bottleneck)

    def new_bottleneck(self, model: nn.Module) -> Bottleneck:
        bottleneck = Bottleneck(model.config.d_model, self.bottleneck, self.style)
        return bottleneck.to(device=device_of(model), dtype=adapter_dtype(model))

    def norms(self, model: nn.Module) -> tuple[str, ...]:
        """The gains and biases of every LayerNorm within `sites`, by their names in the base."""
        return tuple(
            f"{path}.{name}"
            for path, module in base_modules(model)
            if isinstance(module, LayerNorm) and self.covers(path)
            for name in ("weight", "bias")
        )
