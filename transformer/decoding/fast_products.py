"""The matrix products of the fast step (fast.py): x Wᵀ + b for one new position of every row, in the fastest way.

    one row       is a vector, and the weights stay as they lie: reading them is all the work, and a copy would cost as much
                  as many steps
    more rows     a copy in which the weights of one input lie side by side, where it may stay in the processor's cache
    many rows     oneDNN's product, where it is faster than MKL's (transformer/products.py)

What it saves: tests/benchmarks/README.md.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from transformer.products import by_onednn, onednn_pays

Block = Callable[[Float[Tensor, "*rows d_model"]], Float[Tensor, "*rows d_model"]]
"""Where there is a single row, x and what it becomes are vectors: `leading` says which axes come first."""
CACHED = 2**18
"""Numbers of a matrix that may stay in the processor's cache from step to step. A copy of a larger one would take longer than
it saves."""
MANY = 16
"""Rows from which on oneDNN's product is the faster one for a small matrix too."""


def leading(rows: int) -> tuple[int, ...]:
    """The axes before the features: one for the rows, none for a single one."""
    return () if rows == 1 else (rows,)


def side_by_side(linears: list[Any], rows: int) -> Block:
    """What all of them say, one after the other: one product, where their matrices are small enough to be copied."""
    plain = all(type(each) is nn.Linear for each in linears)
    if not plain or sum(each.weight.numel() for each in linears) > CACHED:
        parts = [linear(each, rows) for each in linears]
        return lambda x: torch.cat([part(x) for part in parts], dim=-1)
    bias = None if linears[0].bias is None else torch.cat([each.bias for each in linears])
    return product(torch.cat([each.weight for each in linears]), bias, rows)


def linear(module: Any, rows: int) -> Block:
    """What a linear layer says; one whose weights are packed (quant/) reads them in its own way."""
    return product(module.weight, module.bias, rows) if type(module) is nn.Linear else module.forward


def product(weight: Float[Tensor, "d_out d_in"], bias: Float[Tensor, " d_out"] | None, rows: int) -> Block:
    """x Wᵀ + b of so many rows."""
    small = weight.numel() <= CACHED
    if onednn_pays(weight) and (rows >= MANY or not small):
        return lambda x: by_onednn(x, weight, bias)
    if rows == 1:
        return weight.mv if bias is None else lambda x: torch.addmv(bias, weight, x)
    columns = by_inputs(weight) if small else weight.T
    if bias is None:
        return lambda x: torch.mm(x, columns)
    return lambda x: torch.addmm(bias, x, columns)


def by_inputs(weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "d_in d_out"]:
    """Wᵀ, in memory too."""
    return weight.T.contiguous()
