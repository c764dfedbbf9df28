"""Attention: every query takes a weighted mean of the values, weighted by how well it matches the keys.

    Attention(Q, K, V) = softmax(Q Kᵀ / √d_head) V
    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_O      head_i = Attention(Q W_Q^i, K W_K^i, V W_V^i)

Parameters   4 (d_model² + d_model)
Paper        "Attention Is All You Need" (arXiv 1706.03762), section 3.2
"""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.dropout import apply_dropout, check_probability
from transformer.masks import check_mask

KeysAndValues = tuple[Tensor, Tensor]


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch query d_head"],
    key: Float[Tensor, "*batch key d_head"],
    value: Float[Tensor, "*batch key d_value"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "*batch query d_value"], Float[Tensor, "*batch query key"]]:
    """The weighted mean and its weights. `mask` is True where a query may attend to a key (masks.py).

    A query that may attend to nothing has weights and output of exactly 0, and finite gradients. `dropout` falls on the
    weights of the mean, and not on those that are returned.
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        # The lowest finite number, not -inf: softmax of a row of -inf would be NaN.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1).masked_fill(~mask, 0.0)
    return apply_dropout(weights, dropout) @ value, weights


class Attend(nn.Module):
    """The core of an attention on per-head tensors: what happens between the projections."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch heads key d_head"],
        value: Float[Tensor, "batch heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        """Every head by itself; weights are dropped in training only."""
        output, _ = scaled_dot_product_attention(query, key, value, mask, self.dropout if self.training else 0.0)
        return output


@runtime_checkable
class AttentionCache(Protocol):
    """What one attention remembers from call to call (decoding/cache.py): it decides whether to project again."""

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues: ...


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own d_head = d_model / num_heads features."""

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0):
        super().__init__()
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        check_probability(dropout)
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.attend = Attend(dropout)

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        cache: AttentionCache | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        """Project, split into heads, `attend`, merge the heads, project once more.

        `mask`    True where a query may attend to a key; TypeError or ValueError for one that does not fit (`check_mask`)
        `cache`   what this attention remembers of earlier calls (`keys_and_values`)
        """
        queries = self.split_heads(self.q_proj(query))
        keys, values = self.keys_and_values(key, value, cache)
        if mask is not None:
            check_mask(mask, len(query), self.num_heads, query.shape[1], keys.shape[2])
        heads = self.attend(queries, keys, values, mask)
        return self.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))

    def keys_and_values(
        self,
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        cache: AttentionCache | None = None,
    ) -> KeysAndValues:
        """Both projected and split into heads. With a cache, `cache.keys_and_values` is given a function that does this,
        calls it when it must, and returns what there is for the queries to attend to."""

        def project() -> KeysAndValues:
            return self.split_heads(self.k_proj(key)), self.split_heads(self.v_proj(value))

        return project() if cache is None else cache.keys_and_values(project)

    def split_heads(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch heads time d_head"]:
        """Head h takes the h-th block of d_head features."""
        return rearrange(x, "batch time (heads d_head) -> batch heads time d_head", heads=self.num_heads)
