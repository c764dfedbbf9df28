"""The product with a packed matrix, and its gradient.

    y = x Ŵᵀ + b        ∂L/∂x = ∂L/∂y · Ŵ        ∂L/∂b = Σ ∂L/∂y        no gradient for W

Ŵ exists only while a product is made: forward and backward each make it from the packed codes, in the type of x.
Between them only the codes are kept. (`F.linear(x, dequantize_4bit(W))` gives the same numbers, and keeps Ŵ.)

Paper     QLoRA (arXiv 2305.14314), equation 5
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.precision import without_autocast
from quant.quantize import dequantize_4bit
from quant.tensor import QuantizedTensor, from_parts


class LinearFromCodes(torch.autograd.Function):
    """x Ŵᵀ + b, saving the packed weight for the backward pass. `x` and `bias` come in the compute type."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, weight: QuantizedTensor, *parts: Tensor) -> Tensor:
        """y of x (*batch, d_in). `parts` are the weight's tensors, in its order; of all that was computed only they are kept."""
        ctx.save_for_backward(*parts)
        ctx.names, ctx.layout = tuple(weight.tensors()), (weight.block_size, weight.shape, weight.dtype)
        with without_autocast(x):  # compute_dtype alone decides
            return F.linear(x, dequantize_4bit(weight, x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x and the bias, each where it is wanted, and None for the weight and its parts."""
        (gradient,) = gradients
        weight = from_parts(dict(zip(ctx.names, ctx.saved_tensors, strict=True)), *ctx.layout)
        rows = gradient.reshape(-1, gradient.shape[-1])  # one product of two matrices, not one for each word
        for_x = for_bias = None
        if ctx.needs_input_grad[0]:
            for_x = (rows @ dequantize_4bit(weight, rows.dtype)).view(*gradient.shape[:-1], weight.shape[-1])
        if ctx.needs_input_grad[1]:
            for_bias = rows.sum(dim=0)
        return for_x, for_bias, None, *(None for _ in ctx.names)
