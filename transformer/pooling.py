"""Pooling: one vector for a whole sentence, out of the vectors of its tokens.

    pooled = Σ_t m_t h_t / Σ_t m_t          m_t = 1 for a real token, 0 for padding

A sentence's vector must not depend on how long its neighbours in the batch are; so padding counts neither in the sum
nor in the number.

Paper     "Sentence-BERT" (arXiv 1908.10084), which compares it with the vector of the first token and with the maximum
"""

from jaxtyping import Bool, Float
from torch import Tensor


def mean_pool(
    states: Float[Tensor, "batch time d_model"], real: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch d_model"]:
    """The mean of the vectors of each row's real tokens.

    `real` is True for a token and False for padding, in front or behind. What stands on padding changes nothing, a NaN
    neither. The result has the type of `states`.

    Raises ValueError for a row without a real token.
    """
    counts = real.sum(dim=1, keepdim=True)
    if (counts == 0).any():
        raise ValueError(f"each row needs a real token; there are {counts.flatten().tolist()}")
    return states.masked_fill(~real[:, :, None], 0.0).sum(dim=1) / counts
