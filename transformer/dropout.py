"""Dropout: in training some numbers are set to 0 by chance, and the others grow so that the mean stays what it was.

    Dropout(x) = m ⊙ x / (1 - p)          m ∈ {0, 1},  P(m = 0) = p

In evaluation it is the identity. No parameters.

Papers    "Improving neural networks by preventing co-adaptation of feature detectors" (1207.0580);
          where it stands in a Transformer: 1706.03762, section 5.4
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

CHOICES = 2**16


def apply_dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """The formula, with p rounded to a multiple of 2⁻¹⁶. Raises ValueError for a `p` outside [0, 1).

    One draw of 64 bits serves four numbers, 16 bits each: about half of torch's time (tests/benchmarks/bench_parts.py).
    """
    if not 0.0 <= p < 1.0:
        raise ValueError(f"dropout is a probability in [0, 1), not {p}")
    if p == 0.0:
        return x
    dropped = min(round(p * CHOICES), CHOICES - 1)  # so many of the 2¹⁶ choices
    draws = torch.empty(math.ceil(x.numel() / 4), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    chosen = draws.view(torch.int16)[: x.numel()].view(x.shape)  # each of -2¹⁵ .. 2¹⁵ - 1 equally often
    # The comparison writes its 0 and 1 in the type of x at once, without a tensor of Trues and Falses in between.
    kept = torch.ge(chosen, dropped - CHOICES // 2, out=torch.empty(x.shape, dtype=x.dtype, device=x.device))
    return x * kept.mul_(CHOICES / (CHOICES - dropped))


class Dropout(nn.Dropout):
    """torch's module, with the formula above."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return apply_dropout(x, self.p if self.training else 0.0)
