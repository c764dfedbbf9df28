"""The weight matrix of a base layer, in full precision or in 4 bits, and the plain layer that a merge makes of it."""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn


def weight_of(base: nn.Module) -> Float[Tensor, "d_out d_in"]:
    """The matrix that the layer multiplies with; a layer in 4 bits is dequantized for it."""
    weight: Tensor = base.dequantized() if hasattr(base, "dequantized") else base.weight
    return weight


def device_of(base: nn.Module) -> torch.device:
    return next(tensor.device for tensor in (*base.parameters(), *base.buffers()))


def plus_delta(base: nn.Module, delta: Float[Tensor, "d_out d_in"]) -> nn.Linear:
    """W + ΔW as a plain linear layer."""
    return rewritten(base, weight_of(base).to(delta.dtype) + delta, base.bias)


def rewritten(base: nn.Module, weight: Float[Tensor, "d_out d_in"], bias: Tensor | None) -> nn.Linear:
    """A plain linear layer in place of `base`, in its precision. Warns when `base` was an approximation in 4 bits."""
    if hasattr(base, "dequantized"):
        warnings.warn(
            "merging into a quantized base keeps the rounding of its 4 bits: what is changed is W_4bit, not W",
            stacklevel=2,
        )
    return linear_like(base, weight.to(weight_of(base).dtype), bias)


def linear_like(base: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A plain linear layer with these numbers, in the mode of `base`."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())
    return linear.train(base.training).requires_grad_(False)
