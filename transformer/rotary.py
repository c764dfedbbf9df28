"""Rotary positions: where a token stands is an angle by which its queries and keys are turned. Nothing is added.

    (x_i, x_{i + d/2})  ←  turned by the angle t θ_i          θ_i = base^{-2i/d},  i < d/2,  d = d_head, t the position

A query at t and a key at s meet as q · R(s - t) k: only their distance counts. Values are not turned. A pair is half a
head apart, as in Hugging Face's files; the paper's pairs are neighbours, the same up to the order of features.

Longer contexts (Llama 3.1): a pair that turned at least `high` times within the original length stays, one that turned at
most `low` times is slowed by `factor`, and between the two it goes from one to the other on a straight line:

    θ_i ← θ_i ((1 - s) / factor + s)          s = (turns_i - low) / (high - low), cut to [0, 1]

Papers    "RoFormer: Enhanced Transformer with Rotary Position Embedding" (arXiv 2104.09864);
          "The Llama 3 Herd of Models" (arXiv 2407.21783)
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Float64, Real
from torch import Tensor

from transformer.config import TransformerConfig

Rotate = Callable[[Tensor], Tensor]
"""Turns the heads of queries or keys, (batch, heads, time, d_head)."""


def frequencies(config: TransformerConfig) -> Float64[Tensor, "half_d_head"]:
    """θ_i of every pair, from the fastest on: base^{-2i/d_head} of `config.rope_base`, `slowed` where the config asks for it.

    In float64: in 32 bits the angle of a far position is wrong in the fourth place.
    """
    theta = config.rope_base ** (-torch.arange(0, config.d_head, 2, dtype=torch.float64) / config.d_head)
    return slowed(theta, config)


def slowed(theta: Float64[Tensor, "half_d_head"], config: TransformerConfig) -> Float64[Tensor, "half_d_head"]:
    """The formula for longer contexts: θ_i between θ_i / factor and itself, by how often the pair turns.

    turns_i = `config.rope_original_length` θ_i / 2π; `config.rope_factor`, `rope_low_freq_factor`, `rope_high_freq_factor`
    are factor, low and high. A factor of 1 changes nothing.
    """
    low, high = config.rope_low_freq_factor, config.rope_high_freq_factor
    turns = config.rope_original_length * theta / (2 * math.pi)
    stays = ((turns - low) / (high - low)).clamp(0, 1)
    return theta * ((1 - stays) / config.rope_factor + stays)


def turned(
    x: Float[Tensor, "batch heads time d_head"],
    cosine: Float[Tensor, "batch 1 time half_d_head"],
    sine: Float[Tensor, "batch 1 time half_d_head"],
) -> Float[Tensor, "batch heads time d_head"]:
    """Every pair (x_i, x_{i + d/2}) by its angle: to (x_i cos - x_{i + d/2} sin, x_{i + d/2} cos + x_i sin)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def unturned(x: Tensor) -> Tensor:
    """The rotation of positions that are added."""
    return x


def rotation(places: Real[Tensor, "batch time"], config: TransformerConfig, dtype: torch.dtype) -> Rotate:
    """How the tokens at these positions are turned: a function of heads, (batch, heads, time, d_head), made once for all layers.

    The angles t θ_i are computed in float64, whatever the type of `places`; their cosines and sines are given in `dtype`.
    """
    angle = places[:, None, :, None] * frequencies(config).to(places.device)
    return partial(turned, cosine=angle.cos().to(dtype), sine=angle.sin().to(dtype))
