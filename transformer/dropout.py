"""Dropout: in training some numbers are set to 0 by chance, and the others grow so that the mean stays what it was.

    Dropout(x) = m ⊙ x / (1 - p)          m ∈ {0, 1},  P(m = 0) = p

In evaluation it is the identity. No parameters.

Papers    "Improving neural networks by preventing co-adaptation of feature detectors" (arXiv 1207.0580);
          where it stands in a Transformer: arXiv 1706.03762, section 5.4
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def apply_dropout(x: Float[Tensor, "*shape"], p: float) -> Float[Tensor, "*shape"]:
    """The formula. Raises ValueError for a `p` outside [0, 1).

    Random numbers of a short type are coarse: with an `x` in bf16, p counts as the next multiple of 2⁻⁸.
    """
    check_probability(p)
    return x * (torch.rand_like(x) >= p) / (1 - p) if p else x


class Dropout(nn.Dropout):
    """torch's module, with the formula above. `p` is the probability of a 0."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The formula in training, `x` itself in evaluation."""
        return apply_dropout(x, self.p if self.training else 0.0)


def check_probability(p: float) -> None:
    if not 0.0 <= p < 1.0:
        raise ValueError(f"dropout is a probability in [0, 1), not {p}")
