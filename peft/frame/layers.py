"""Layers: how a technique stands where a base module stood.

    before   parent.q_proj = Linear
    after    parent.q_proj = Slot(base=Linear, layers={"default": LoraLinear(base=Linear), ...})

A technique writes a layer: its formula around `self.base`. A slot holds the base and one such layer for every adapter
that comes there, and calls that of the active one. With none active it is the base itself, to the last bit.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.casting import FULL_PRECISION, settle, widened
from peft.frame.context import CallContext
from transformer.products import faster_products


class AdaptedLayer(nn.Module):
    """A technique around one base module. Its own parameters are all but those of `base`."""

    merges = True

    def __init__(self, base: nn.Module):
        super().__init__()
        self.base = base

    def merged(self) -> nn.Module:
        """A plain module that computes the same. Techniques that have none say so."""
        raise ValueError(f"{type(self).__name__} cannot be merged: its change is no change of weights")

    def every_parameter(self) -> dict[str, nn.Parameter]:
        """All parameters but those of the base, by name. They are what is saved."""
        return {name: p for name, p in self.named_parameters() if not name.startswith("base.")}

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Those of them that are trained: all, by default."""
        return self.every_parameter()

    def saved(self) -> dict[str, Tensor]:
        """What is written to disk."""
        return {name: parameter.detach() for name, parameter in self.every_parameter().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `saved`; names and shapes are already checked."""
        with torch.no_grad():
            for name, parameter in self.every_parameter().items():
                parameter.copy_(tensors[name])

    def settle(self, model: nn.Module) -> None:
        """Moves all that is the layer's own to where the model is; its base stays as it is."""
        base, self.base = self.base, None
        settle(self, model)
        self.base = base


class ChangingLayer(AdaptedLayer):
    """y = base(x) + change(x, base(x))        `change` computes in the technique's own precision, whatever the base's is."""

    def change(self, x: Tensor, y: Tensor) -> Tensor:
        """The technique's formula: what is added to y, the base's output."""
        raise NotImplementedError

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        """The change in the type of y."""
        if x.dtype not in FULL_PRECISION:
            x = widened(x, self)
        return self.change(x, y).to(y.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """The base's output and what the technique adds to it. Where that is 0 the result is the base's to the last bit, but
        in training, whose faster products round in another way."""
        with faster_products() if self.training else nullcontext():
            y = self.base(x)
        return y + self.added(x, y)


class AdditiveLayer(ChangingLayer):
    """y = base(x) + delta(x): what is added does not ask for y, so several can be summed, and mixed within a batch."""

    def delta(self, x: Tensor) -> Tensor:
        """The technique's formula: what is added to the base's output."""
        raise NotImplementedError

    def change(self, x: Tensor, y: Tensor) -> Tensor:
        """The same for every y."""
        return self.delta(x)

    @staticmethod
    def deltas(layers: Mapping[str, Any], names: Sequence[str], x: Tensor) -> tuple[Tensor, Tensor] | None:
        """Two factors for each row, whose product is delta(x) by the layer of its name; None where it is no product."""
        return None


class UpLinear(nn.Linear):
    """nn.Linear without a bias, for an input of few features."""

    def forward(self, x: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch d_out"]:
        """x Bᵀ. Bᵀ is laid out anew, r · d_out numbers: the gradient of B then runs along rows, which a CPU does several
        times as fast (tests/benchmarks/bench_peft.py prints how many)."""
        return up_product(x, self.weight)


def up_product(x: Float[Tensor, "*batch rank"], up: Float[Tensor, "d_out rank"]) -> Float[Tensor, "*batch d_out"]:
    return x @ up.T.contiguous()


class Slot(nn.Module):
    """Stands where a base module stood: holds it, and what every adapter has here; knows which adapters are active."""

    def __init__(self, base: nn.Module, context: CallContext):
        super().__init__()
        self.base = base
        self.layers = nn.ModuleDict()
        self.rows = nn.ModuleDict()
        self.active: tuple[str, ...] = ()
        self.context = context

    @property
    def adapted_base(self) -> nn.Module:
        """The base's own module, for who walks through the base."""
        return self.base

    def __contains__(self, adapter_name: str) -> bool:
        return adapter_name in self.layers or adapter_name in self.rows

    def forward(self, *args: Any) -> Any:
        """What the base gives; what the active adapter makes of it; or, with several, the base's output and all they add."""
        if self.context.mixed is not None:
            return self.context.mixed(self, *args)
        if not self.active:
            return self.base(*args)
        if len(self.active) == 1:
            name = self.active[0]
            y = self.layers[name](*args) if name in self.layers else self.base(*args)
            return self.rows[name](self.base, *args, y) if name in self.rows else y
        y = self.base(*args)
        return y + sum(self.added(name, args[0], y) for name in self.active)

    def added(self, name: str, x: Tensor, y: Tensor) -> Tensor:
        """What one adapter adds to y, the base's output."""
        if name not in self.rows:
            return self.layers[name].added(x, y)
        changed = y + self.layers[name].added(x, y) if name in self.layers else y
        return self.rows[name](self.base, x, changed) - y
