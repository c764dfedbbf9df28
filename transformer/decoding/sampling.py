"""Sampling: draw the next token, from the likely ones only.

    y_t ~ p^{1/temperature}, cut to the k best tokens, or to the smallest set whose mass reaches p

Paper     nucleus sampling (top-p): "The Curious Case of Neural Text Degeneration" (arXiv 1904.09751)
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sample(
    logits: Float[Tensor, "batch vocab"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " batch"]:
    """One token for each row, drawn from the distribution after temperature, top-k and top-p, in this order."""
    probabilities = truncate(logits / temperature, top_k, top_p).softmax(dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def truncate(
    logits: Float[Tensor, "batch vocab"], top_k: int | None = None, top_p: float | None = None
) -> Float[Tensor, "batch vocab"]:
    """Sets to -inf what is not among the k best, or not in the smallest best set whose mass reaches p.

    A k above the vocabulary's size leaves all; of top-k and top-p, top-k comes first, and p is measured on what it has left.
    `logits` stays as it is.
    """
    if top_k is not None:
        kth = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, float("-inf"))
    if top_p is not None and top_p < 1.0:  # a rounded sum may reach 1 before the last token
        ordered, order = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(dim=-1)
        mass_before = probabilities.cumsum(dim=-1) - probabilities
        ordered = ordered.masked_fill(mass_before >= top_p, float("-inf"))
        logits = torch.empty_like(logits).scatter(-1, order, ordered)
    return logits
