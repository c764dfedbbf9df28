"""Attention: every query takes a weighted mean of the values, weighted by how well it matches the keys.

    Attention(Q, K, V) = softmax(Q Kᵀ / √d_head) V
    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_O      head_i = Attention(Q W_Q^i, K W_K^i, V W_V^i)

Parameters   4 (d_model² + d_model)
Paper        "Attention Is All You Need" (1706.03762), section 3.2
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from transformer.dropout import apply_dropout
from transformer.masks import check_mask, needed

KeysAndValues = tuple[Tensor, Tensor]


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch query d_head"],
    key: Float[Tensor, "*batch key d_head"],
    value: Float[Tensor, "*batch key d_value"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "*batch query d_value"], Float[Tensor, "*batch query key"]]:
    """The weighted mean and its weights. `mask` is True where a query may attend to a key (masks.py).

    A query that may attend to nothing has weights and output of exactly 0, and finite gradients.
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

    def __init__(self, dropout: float = 0.0, fused: bool = False):
        super().__init__()
        self.dropout = dropout
        self.fused = fused
        self.recorded: list[Tensor] | None = None

    def forward(
        self,
        query: Float[Tensor, "batch heads query d_head"],
        key: Float[Tensor, "batch heads key d_head"],
        value: Float[Tensor, "batch heads key d_head"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch heads query d_head"]:
        dropout = self.dropout if self.training else 0.0
        if self.fused and self.recorded is None:
            return fused_attention(query, key, value, mask, dropout)
        output, weights = scaled_dot_product_attention(query, key, value, mask, dropout)
        if self.recorded is not None:
            self.recorded.append(weights.detach())
        return output


def fused_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """torch's kernel: the same numbers as the formula, without the matrix of weights in memory."""
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    # Kernels differ on a query that may attend to nothing; the contract says 0.
    hears = None if mask is None else needed(mask.any(dim=-1, keepdim=True))
    return output if hears is None else output.masked_fill(~hears, 0.0)


@runtime_checkable
class KeyValueStore(Protocol):
    """What a cache looks like from here (cache.py): it decides whether to project again."""

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues: ...


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own d_head = d_model / num_heads features."""

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0, fused: bool = False):
        super().__init__()
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"d_model {d_model} is not divisible by num_heads {num_heads}")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout is a probability in [0, 1), not {dropout}")
        self.num_heads = num_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.attend = Attend(dropout, fused)

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        cache: KeyValueStore | None = None,
    ) -> Float[Tensor, "batch query d_model"]:
        def project() -> KeysAndValues:
            return self.split_heads(self.k_proj(key)), self.split_heads(self.v_proj(value))

        queries = self.split_heads(self.q_proj(query))
        keys, values = project() if cache is None else cache.keys_and_values(project)
        if mask is not None:
            batch, heads, length, _ = queries.shape
            check_mask(mask, batch, heads, length, keys.shape[2])
        heads = self.attend(queries, keys, values, mask)
        return self.out_proj(rearrange(heads, "batch heads query d_head -> batch query (heads d_head)"))

    def split_heads(self, x: Float[Tensor, "batch time d_model"]) -> Float[Tensor, "batch heads time d_head"]:
        return rearrange(x, "batch time (heads d_head) -> batch heads time d_head", heads=self.num_heads)


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collects the weights of every attention while a model runs, and leaves what `forward` returns alone.

    Yields a dict: name of the attention → list of weights (batch, heads, query, key), one for each call.
    """
    cores = {own_name(name): module for name, module in model.named_modules() if isinstance(module, Attend)}
    maps: dict[str, list[Tensor]] = {name: [] for name in cores}
    for name, core in cores.items():
        core.recorded = maps[name]
    try:
        yield maps
    finally:
        for core in cores.values():
            core.recorded = None


def own_name(name: str) -> str:
    """The attention's name in its own model, whatever stands around it: a wrapper calls what it wraps `base`."""
    return ".".join(part for part in name.split(".attend")[0].split(".") if part != "base")
