"""Large products with a frozen matrix, by the faster one of the two libraries that come with torch.

    y = W x + b          ∂L/∂x = Wᵀ ∂L/∂y          W gets no gradient: fine-tuning trains what stands beside it

In fp32 on a CPU torch asks MKL, which takes half of the width of an AMD processor; oneDNN takes the whole. Inside
`faster_products` the modules are called as ever, and the formula is the same but for rounding. On an Intel processor MKL is
as fast, and nothing changes. What it saves: tests/benchmarks/README.md.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

LARGE = 2**18
"""Numbers of a matrix. A smaller one is read from the processor's cache, and there is less to gain."""
MANY = 256
"""Rows."""
STEP = 64
"""oneDNN writes a program for every number of rows and keeps it. So they are filled up to a multiple, and programs are few."""

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux tells of the processor. Windows has its name in the environment, and no torch is built for Intel's Macs."""


def onednn_pays(weight: Tensor) -> bool:
    """Whether its kernels take this matrix, and are the faster ones for it."""
    taken = weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkldnn.is_available()
    return taken and not mkl_takes_the_whole_width()


@cache
def mkl_takes_the_whole_width() -> bool:
    """Whether the processor comes from Intel, as MKL does."""
    return "GenuineIntel" in (CPUINFO.read_text() if CPUINFO.is_file() else os.environ.get("PROCESSOR_IDENTIFIER", ""))


def by_onednn(
    x: Float[Tensor, "*rows d_in"], weight: Float[Tensor, "d_out d_in"], bias: Float[Tensor, " d_out"] | None = None
) -> Float[Tensor, "*rows d_out"]:
    """x Wᵀ + b, which knows no gradient."""
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return y


def in_steps(
    x: Float[Tensor, "*batch d_in"], weight: Tensor, bias: Tensor | None = None
) -> Float[Tensor, "*batch d_out"]:
    """The same of any number of axes, with rows of zeros behind the last one."""
    rows = x.flatten(0, -2)
    missing = -len(rows) % STEP
    y = by_onednn(F.pad(rows, (0, 0, 0, missing)) if missing else rows, weight, bias)
    return y[: len(rows)].view(*x.shape[:-1], len(weight))


class FrozenProduct(torch.autograd.Function):
    """x Wᵀ + b, with a gradient for x alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return in_steps(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return in_steps(gradient, weight.T), None, None


class FasterProducts(TorchFunctionMode):
    """Inside, `F.linear` with a frozen matrix of at least `large` numbers and enough rows is `FrozenProduct`."""

    def __init__(self, large: int):
        super().__init__()
        self.large = large

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function is F.linear and not kwargs and self.pays(*args):
            return FrozenProduct.apply(*args)
        return function(*args, **(kwargs or {}))

    def pays(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
        learns = weight.requires_grad or (bias is not None and bias.requires_grad)
        if (learns and torch.is_grad_enabled()) or torch.is_autocast_enabled("cpu") or x.dtype != weight.dtype:
            return False
        return weight.numel() >= self.large and x.numel() >= MANY * x.shape[-1] and onednn_pays(weight)


def faster_products(large: int = LARGE) -> AbstractContextManager[Any]:
    """A context in which products with frozen matrices of so many numbers are faster; none where MKL or torch.compile finds the way."""
    nothing_to_gain = torch.compiler.is_compiling() or mkl_takes_the_whole_width()
    return nullcontext() if nothing_to_gain else FasterProducts(large)
