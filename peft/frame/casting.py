"""Types and devices: what no technique's page needs to say.

A technique is written in full precision, and its own numbers are kept in it: fp32, or float64 on a float64 base. The
features that it meets may come in half precision, from a base in bf16 or 4 bits or under autocast. Here is what brings
the two together; `AdditiveLayer` and `SideNetwork` do it around a formula, `in_one_type` and `in_full_precision` above one.
"""

from collections.abc import Callable
from functools import wraps
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from quant.precision import under_autocast, without_autocast

FULL_PRECISION = (torch.float32, torch.float64)
Result = TypeVar("Result")


def adapter_dtype(base: nn.Module) -> torch.dtype:
    """Adapters are trained in fp32 on a half-precision or 4-bit base, and in float64 on a float64 one."""
    kinds = {tensor.dtype for tensor in base.parameters() if tensor.is_floating_point()}
    return torch.float64 if torch.float64 in kinds else torch.float32


def device_of(base: nn.Module) -> torch.device:
    """Where the base is: the device of its first tensor."""
    return next(tensor.device for tensor in chain(base.parameters(), base.buffers()))


def settle(module: nn.Module, base: nn.Module) -> None:
    """Moves what a technique has made to where the base is, into the type that adapters are trained in."""
    module.to(device_of(base), adapter_dtype(base))


def widened(x: Tensor, module: nn.Module) -> Tensor:
    """Features in the type of a technique's own numbers.

    Under autocast they stay: the products choose their types, and would only cast them back.
    """
    if x.dtype in FULL_PRECISION or under_autocast(x):
        return x
    own = (parameter for name, parameter in module.named_parameters() if not name.startswith("base."))
    return x.to(next(own).dtype)


class SideNetwork(nn.Module):
    """A small network of a technique's own. It gives its answer in the type of the features that it was given."""

    def __call__(self, x: Tensor) -> Tensor:
        y: Tensor = super().__call__(widened(x, self))
        return y.to(x.dtype)


def in_one_type(formula: Callable[..., Result]) -> Callable[..., Result]:
    """For a formula of features and a technique's own numbers: all come in the type of the features.

    That is the half precision where one of them is in it; else the wider one.
    """

    @wraps(formula)
    def cast(*tensors: Tensor) -> Result:
        types = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
        if len(types) == 1:
            return formula(*tensors)
        half = types - {*FULL_PRECISION}
        kind = half.pop() if half else torch.float64
        return formula(*(tensor.to(kind) if tensor.is_floating_point() else tensor for tensor in tensors))

    return cast


def in_full_precision(method: Callable[..., Result]) -> Callable[..., Result]:
    """For a method of a module whose numbers must come out the same under autocast as without it."""

    @wraps(method)
    def exact(self: nn.Module, *arguments: Any) -> Result:
        with without_autocast(next(self.parameters())):
            return method(self, *arguments)

    return exact
