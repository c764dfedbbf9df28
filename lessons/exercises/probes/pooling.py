"""Probe of lesson 28."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from transformer import pooling


def mean_pool(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    batch, time = draw.size(2, 4), draw.size(3, 7)
    states, real = draw.normal(batch, time, draw.size(2, 5), grad=True), draw.coin(batch, time, heads=0.5)
    real[:, draw.size(0, time - 1)] = True
    pooled = pooling.mean_pool(states, real)
    unknown = pooling.mean_pool(states.masked_fill(~real[:, :, None], float("nan")), real)
    empty = torch.zeros(batch, time, dtype=torch.bool)
    return {
        "the pooled vectors": pooled,
        "those of rows with NaN on padding": unknown,
        "the kind of error for rows without a token": refusal(pooling.mean_pool, states, empty),
    } | gradients(pooled, states=states)
