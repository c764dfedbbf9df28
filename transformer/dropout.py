"""Dropout: in training some numbers are set to 0 by chance, and the others grow so that the mean stays what it was.

    Dropout(x) = m ⊙ x / (1 - p)          m ∈ {0, 1},  P(m = 0) = p

In evaluation it is the identity. No parameters.

Papers    "Improving neural networks by preventing co-adaptation of feature detectors" (1207.0580);
          where it stands in a Transformer: 1706.03762, section 5.4
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def apply_dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """The formula. Raises ValueError for a `p` outside [0, 1)."""
    if not 0.0 <= p < 1.0:
        raise ValueError(f"dropout is a probability in [0, 1), not {p}")
    if p == 0.0:
        return x
    # torch's own draws one 0 or 1 after the other on a CPU; uniform numbers come several at a time.
    kept = torch.rand(x.shape, device=x.device).sub_(p).ceil_()  # 1 with probability 1 - p, else 0
    return x * kept.div_(1.0 - p).to(x.dtype)


class Dropout(nn.Dropout):
    """torch's module, with the formula above."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return apply_dropout(x, self.p if self.training else 0.0)
