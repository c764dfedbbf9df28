"""The wrappers: how a technique stands where a base module stood.

    before   parent.q_proj = Linear
    after    parent.q_proj = Site(base=Linear, adapters={"default": LoraLinear(base=Linear), ...})

A technique writes an AdaptedLayer: its formula around `self.base`. A Site holds the base and one such layer for every
adapter of that name, and calls the active one. Nothing active means the base itself, to the last bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from quant.precision import under_autocast


class CallContext:
    """What layers may need to know about the present call; the PeftModel sets it before the forward pass.

    `mixed`             what a site does instead in a mixed batch, where every row has its own adapter (mixed.py)
    `source`, `target`  the token ids of this call
    """

    def __init__(self) -> None:
        self.mixed: Callable[[Site, Tensor], Tensor] | None = None
        self.source: Tensor | None = None
        self.target: Tensor | None = None


class AdaptedLayer(nn.Module):
    """A technique around one base module. Its own parameters are all but those of `base`."""

    merges = True

    def __init__(self, base: nn.Module):
        super().__init__()
        self.base = base
        self.context = CallContext()

    def merged(self) -> nn.Module:
        """A plain module that computes the same. Techniques that have none say so."""
        raise ValueError(f"{type(self).__name__} cannot be merged: its change is no change of weights")

    def own_parameters(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.named_parameters() if not name.startswith("base.")}

    def saved(self) -> dict[str, Tensor]:
        """What is written to disk: by default the own parameters."""
        return {name: parameter.detach() for name, parameter in self.own_parameters().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `saved`; names and shapes are already checked."""
        with torch.no_grad():
            for name, parameter in self.own_parameters().items():
                parameter.copy_(tensors[name])


class AdditiveLayer(AdaptedLayer):
    """A technique that adds to the base's output: y = base(x) + delta(x). Several of them can be summed."""

    def delta(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        y = self.base(x)
        return y + self.delta(x).to(y.dtype)


class Site(nn.Module):
    """The place of one base module: the base, the adapters that sit there, and which of them are active."""

    def __init__(self, base: nn.Module, context: CallContext):
        super().__init__()
        self.base = base
        self.adapters = nn.ModuleDict()
        self.active: tuple[str, ...] = ()
        self.context = context

    @property
    def adapted_base(self) -> nn.Module:
        return self.base

    def forward(self, *args: Any) -> Any:
        if self.context.mixed is not None:
            return self.context.mixed(self, *args)
        if not self.active:
            return self.base(*args)
        if len(self.active) == 1:
            return self.adapters[self.active[0]](*args)
        y = self.base(*args)
        return y + sum(self.adapters[name].delta(*args).to(y.dtype) for name in self.active)


@dataclass
class Placement:
    """What a technique puts where.

    `wrappers`    path of a base module → the layer that stands around it
    `parameters`  names of base parameters of which the adapter owns a copy
    `shared`      what several wrappers use together
    """

    wrappers: dict[str, AdaptedLayer] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    shared: nn.Module | None = None


def own_precision(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x in the adapter's precision. Under autocast it stays: the products choose theirs, and would only cast it back."""
    return x if under_autocast(x) else x.to(dtype)


def adapter_dtype(base: nn.Module) -> torch.dtype:
    """Adapters are trained in fp32 on a half-precision or 4-bit base, and in float64 on a float64 one."""
    kinds = {tensor.dtype for tensor in base.parameters() if tensor.is_floating_point()}
    return torch.float64 if torch.float64 in kinds else torch.float32
