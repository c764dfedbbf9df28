"""Attention: every query takes a weighted mean of the values, weighted by how well it matches the keys.

    Attention(Q, K, V) = softmax(Q Kᵀ / √d_head) V
    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_O      head_i = Attention(Q W_Q^i, K W_K^i, V W_V^i)

With fewer heads of keys and values than queries, neighbours share one (`for_every_query`): the cache stores the fewer.

Parameters   4 (d_model² + d_model)
Papers       "Attention Is All You Need" (arXiv 1706.03762), section 3.2; shared heads: "GQA" (arXiv 2305.13245)
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
from transformer.rotary import Rotate, unturned

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


def for_every_query(
    shared: Float[Tensor, "batch kv_heads key d_head"], num_heads: int
) -> Float[Tensor, "batch heads key d_head"]:
    """Keys or values once for each head of queries: head h takes the (h · kv_heads / heads)-th, rounded down.

    So neighbours share one: with 6 heads and 2 of keys, 0 0 0 1 1 1. As many as there are queries stay as they are.
    """
    return shared if shared.shape[1] == num_heads else shared.repeat_interleave(num_heads // shared.shape[1], dim=1)


class Attend(nn.Module):
    """The core of an attention on per-head tensors: what happens between the projections."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch kv_heads key d_head"],
        value: Float[Tensor, "batch kv_heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        """Every head of queries by itself; weights are dropped in training only."""
        key, value = (for_every_query(x, query.shape[1]) for x in (key, value))
        output, _ = scaled_dot_product_attention(query, key, value, mask, self.dropout if self.training else 0.0)
        return output


@runtime_checkable
class AttentionCache(Protocol):
    """What one attention remembers from call to call (decoding/cache.py): it decides whether to project again."""

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues: ...


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own d_head = d_model / num_heads features.

    `num_kv_heads`   heads of keys and values, which the queries' heads share; None: as many
    `head_size`      d_head, where it is another
    `bias`           whether q_proj, k_proj, v_proj have a bias, and whether out_proj has
    `head_norm`      d_head → the norm on each head's queries, and on its keys
    """

    def __init__(
        self,
        d_model: int,
        num_heads: int,
        dropout: float = 0.0,
        num_kv_heads: int | None = None,
        head_size: int | None = None,
        bias: tuple[bool, bool] = (True, True),
        head_norm: Callable[[int], nn.Module] = nn.Identity,
    ):
        super().__init__()
        if num_heads < 1 or (head_size is None and d_model % num_heads):
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        kv_heads = num_kv_heads or num_heads
        if num_heads % kv_heads:
            raise ValueError(f"num_heads {num_heads} is not divisible by num_kv_heads {num_kv_heads}")
        check_probability(dropout)
        self.num_heads, self.d_head = num_heads, head_size or d_model // num_heads
        self.q_proj = nn.Linear(d_model, num_heads * self.d_head, bias[0])
        self.k_proj = nn.Linear(d_model, kv_heads * self.d_head, bias[0])
        self.v_proj = nn.Linear(d_model, kv_heads * self.d_head, bias[0])
        self.out_proj = nn.Linear(num_heads * self.d_head, d_model, bias[1])
        self.q_norm, self.k_norm = head_norm(self.d_head), head_norm(self.d_head)
        self.attend = Attend(dropout)

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        cache: AttentionCache | None = None,
        rotate: Rotate = unturned,
    ) -> Float[Tensor, "batch query d_model"]:
        """Project, split into heads, `attend`, merge the heads, project once more.

        `mask`     True where a query may attend to a key; TypeError or ValueError for one that does not fit (`check_mask`)
        `cache`    what this attention remembers of earlier calls (`keys_and_values`)
        `rotate`   turns queries and keys by their position (rotary.py)
        """
        queries = rotate(self.q_norm(self.split_heads(self.q_proj(query))))
        keys, values = self.keys_and_values(key, value, cache, rotate)
        if mask is not None:
            check_mask(mask, len(query), self.num_heads, query.shape[1], keys.shape[2])
        heads = self.attend(queries, keys, values, mask)
        return self.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))

    def keys_and_values(
        self,
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        cache: AttentionCache | None = None,
        rotate: Rotate = unturned,
    ) -> KeysAndValues:
        """Both projected and split into heads. With a cache, `cache.keys_and_values` is given a function that does this,
        calls it when it must, and returns what there is for the queries to attend to."""

        def project() -> KeysAndValues:
            return rotate(self.k_norm(self.split_heads(self.k_proj(key)))), self.split_heads(self.v_proj(value))

        return project() if cache is None else cache.keys_and_values(project)

    def split_heads(self, x: Float[Tensor, "batch time features"]) -> Float[Tensor, "batch heads time d_head"]:
        """Head h takes the h-th block of d_head features; so many heads as there are blocks."""
        return rearrange(x, "batch time (heads d_head) -> batch heads time d_head", d_head=self.d_head)
