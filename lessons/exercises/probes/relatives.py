"""Probes of lesson 14: LoRA's relatives and IA3."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.low_rank import linear, output_gradients_and_merge, scattered
from peft.dora import DoraLinear, row_lengths
from peft.ia3 import IA3Linear
from peft.pissa import PissaLinear, principal_factors
from peft.vera import Projections, VeraLinear


def dora(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    layer = scattered(draw, DoraLinear(linear(draw), draw.size(1, 3), draw.uniform(1.0, 9.0)))
    found = {"V": layer.directions(), "the stretch": layer.stretch()}
    found |= {
        "the lengths of rows": row_lengths(draw.normal(4, 5)),
        "of zeros, their logarithm": row_lengths(draw.normal(2, 3) * 0).log(),
    }
    bare = scattered(draw, DoraLinear(linear(draw, bias=False), 2, 3.0))
    found["without a bias"] = bare(draw.normal(3, bare.base.in_features))
    return found | output_gradients_and_merge(draw, layer)


def pissa(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    rank, alpha = draw.size(1, 3), draw.uniform(1.0, 9.0)
    weight = draw.normal(draw.size(4, 7), draw.size(4, 7))
    up, down = principal_factors(weight, rank, alpha)
    layer = PissaLinear(linear(draw), rank, alpha).double().eval()
    with torch.no_grad():
        for parameter in (layer.lora_A.weight, layer.lora_B.weight):
            parameter.add_(draw.normal(*parameter.shape))
    return {"s B₀ A₀": alpha * up @ down, "B₀ᵀ B₀": (up.T @ up).abs()} | output_gradients_and_merge(draw, layer)


def vera(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    shared = Projections(draw.size(2, 9), 12, 11, seed=draw.size(0, 99))
    layer = scattered(draw, VeraLinear(linear(draw), shared))
    up, down = layer.shared()
    return {"the part of B": up, "the part of A": down} | output_gradients_and_merge(draw, layer)


def ia3(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for feedforward in (False, True):
        for bias in (False, True):
            layer = scattered(draw, IA3Linear(linear(draw, bias), feedforward))
            kind = f"{'feed forward' if feedforward else 'attention'}, {'with' if bias else 'without'} bias"
            found |= {f"{name} ({kind})": tensor for name, tensor in output_gradients_and_merge(draw, layer).items()}
    return found
