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
    """W + ΔW as a plain linear layer. Warns when W was only an approximation in 4 bits."""
    weight = weight_of(base)
    if hasattr(base, "dequantized"):
        warnings.warn(
            "merging into a quantized base keeps the rounding of its 4 bits: the result is W_4bit + ΔW, not W + ΔW",
            stacklevel=2,
        )
    return linear_like(base, (weight.to(delta.dtype) + delta).to(weight.dtype), base.bias)


def linear_like(base: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A plain linear layer with these numbers, in the mode of `base`."""
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    linear.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        linear.bias = nn.Parameter(bias.detach().clone())
    return linear.train(base.training).requires_grad_(False)
