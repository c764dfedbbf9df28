"""Masks: who may look at whom. This is the only file that says what a mask means.

    mask[b, h, i, j] = True   ⇔   in row b and head h, query i may attend to key j

Masks are boolean and broadcast to (batch, heads, query, key). Two masks are combined with `&`.
A query that may attend to nothing receives an output of exactly 0 (see attention.py).
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(ids: Int[Tensor, "batch time"], pad_id: int) -> Bool[Tensor, "batch 1 1 time"]:
    """True where a key is a real token: nobody attends to padding."""
    return (ids != pad_id)[:, None, None, :]


def prompt_mask(ids: Int[Tensor, "batch time"], pad_id: int) -> Bool[Tensor, "batch time"]:
    """False for the padding in front of a row.

    Behind the first real token, and at the last place, `pad_id` counts as real: it may be a token with a meaning.
    """
    real = (ids != pad_id).cumsum(dim=1) > 0
    real[:, -1] = True
    return real


def causal_mask(length: int, past: int = 0, device: torch.device | None = None) -> Bool[Tensor, "query key"]:
    """True where the key is not in the query's future: position i attends to positions 0..i.

    `past`   how many keys stand before the first query (a key/value cache); the shape is (length, past + length)

    Raises ValueError for a length below 1 and for a negative `past`.
    """
    if length < 1 or past < 0:
        raise ValueError(f"a causal mask needs length >= 1 and past >= 0, not length {length} and past {past}")
    return torch.ones(length, past + length, dtype=torch.bool, device=device).tril(diagonal=past)


def same_document(documents: Int[Tensor, "batch time"]) -> Bool[Tensor, "batch 1 time time"]:
    """True where query and key are of one document: what is packed into a row together stays apart."""
    return documents[:, None, :, None] == documents[:, None, None, :]


def places_in(documents: Int[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Where each token stands in its own document, from 0; a document is a run of equal numbers."""
    place = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return place - torch.where(begins, place, 0).cummax(dim=1).values


def check_mask(mask: Tensor, batch: int, heads: int, query: int, key: int) -> None:
    """Raises TypeError for a mask that is not boolean, ValueError for one that does not broadcast."""
    if mask.dtype != torch.bool:
        raise TypeError(f"a mask is boolean with True = may be attended to, not {mask.dtype}; compare first (mask > 0)")
    wanted = (batch, heads, query, key)
    fits = mask.dim() <= 4 and all(
        have in (1, want) for have, want in zip(reversed(mask.shape), reversed(wanted), strict=False)
    )
    if not fits:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} does not broadcast to (batch, heads, query, key) = {wanted}"
        )
