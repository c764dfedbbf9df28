"""The product with a matrix in ggml's blocks, and its gradient.

    y = x Ŵᵀ + b        ∂L/∂x = ∂L/∂y · Ŵ        ∂L/∂b = Σ ∂L/∂y        no gradient for W

As in product.py, Ŵ exists only while a product is made; between forward and backward only the blocks are kept.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.ggml_blocks import decode_q4
from quant.precision import without_autocast


class LinearFromBlocks(torch.autograd.Function):
    """x Ŵᵀ + b. Only the packed weight is saved for the backward pass. `x` and `bias` come in the compute type."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor | None, codes: Tensor, scales: Tensor, minimums: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(codes, scales, minimums)
        with without_autocast(x):  # compute_dtype alone decides
            return F.linear(x, decode_q4(codes, scales, minimums, x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        rows = gradient.reshape(-1, gradient.shape[-1])  # one product of two matrices, not one for each word
        for_x = for_bias = None
        if ctx.needs_input_grad[0]:
            codes, scales, minimums = ctx.saved_tensors
            for_x = rows @ decode_q4(codes, scales, minimums, rows.dtype)
            for_x = for_x.view(*gradient.shape[:-1], for_x.shape[-1])
        if ctx.needs_input_grad[1]:
            for_bias = rows.sum(dim=0)
        return for_x, for_bias, None, None, None
