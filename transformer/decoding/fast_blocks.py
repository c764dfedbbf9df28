"""The blocks of the fast step (fast.py): functions of one new position of every row."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import LayerNorm, RMSNorm
from transformer.attention import MultiHeadAttention, for_every_query
from transformer.feed_forward import ACTIVATIONS, FeedForward, GatedFeedForward
from transformer.fused import fused_attention
from transformer.products import by_onednn, onednn_serves
from transformer.rotary import Rotate, unturned

Block = Callable[[Float[Tensor, "rows d_model"]], Float[Tensor, "rows d_model"]]
CACHED = 2**18
"""Numbers of a matrix that may stay in the processor's cache from step to step. A copy of a larger one would take longer than
it saves."""
MANY = 16
"""Rows."""


class SelfAttention:
    """The new position of every row asks its past and itself. There is room for `capacity` positions.

    `rotate`   turns queries and keys by this step's position
    """

    rotate: Rotate = staticmethod(unturned)

    def __init__(self, attention: MultiHeadAttention, rows: int, capacity: int):
        self.project = side_by_side([attention.q_proj, attention.k_proj, attention.v_proj])
        self.norms = (attention.q_norm, attention.k_norm)
        self.output = linear(attention.out_proj)
        d_head, self.num_heads = attention.d_head, attention.num_heads
        kv_heads = attention.k_proj.out_features // d_head
        self.shape = (rows, self.num_heads + 2 * kv_heads, 1, d_head)
        self.past = attention.q_proj.weight.new_empty(rows, 2, kv_heads, capacity, d_head)
        self.length = 0
        self.real: Tensor | None = None

    def begin(self, keys: Tensor, values: Tensor, length: int, real: Bool[Tensor, "rows 1 1 capacity"] | None) -> None:
        """A past that others have computed; `real` is False where it holds padding."""
        self.past[:, 0], self.past[:, 1] = keys, values
        self.length, self.real = length, real

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        rows, _, kv_heads, _, d_head = self.past.shape
        query, keys_and_values = self.turned(self.project(x).view(self.shape)).split(
            (self.num_heads, 2 * kv_heads), dim=1
        )
        self.past[:, :, :, self.length] = keys_and_values.view(rows, 2, kv_heads, d_head)
        self.length += 1
        keys, values = self.past[:, :, :, : self.length].unbind(dim=1)
        real = None if self.real is None else self.real[..., : self.length]
        # Queries that share their keys ask together, as if they were positions.
        heads = fused_attention(query.view(rows, kv_heads, -1, d_head), keys, values, real, dropout=0.0)
        return self.output(heads.reshape(rows, -1))

    def turned(self, heads: Float[Tensor, "rows heads 1 d_head"]) -> Float[Tensor, "rows heads 1 d_head"]:
        """Queries and keys, normalized and turned in place; values stay."""
        queries_and_keys = heads[:, : -self.past.shape[2]]
        if not isinstance(self.norms[0], nn.Identity):
            for part, norm in zip(queries_and_keys.tensor_split((self.num_heads,), dim=1), self.norms):
                part.copy_(norm(part))
        if self.rotate is not unturned:
            queries_and_keys.copy_(self.rotate(queries_and_keys))
        return heads

    def reorder(self, rows: Int[Tensor, " moved"], sources: Int[Tensor, " moved"]) -> None:
        """Row `rows[i]` becomes what row `sources[i]` was; the others stay. So does padding: beams of a prompt share it."""
        past = self.past[:, :, :, : self.length]
        past.index_copy_(0, rows, past.index_select(0, sources))


def memory_block(
    attention: MultiHeadAttention,
    memory: Float[Tensor, "batch source d_model"],
    mask: Bool[Tensor, "batch 1 1 source"],
) -> Block:
    """Every row asks the memory of its source, whose keys and values are there from the start."""
    both = attention.keys_and_values(memory, memory)
    keys, values = (for_every_query(each, attention.num_heads).contiguous() for each in both)
    to_query, output = linear(attention.q_proj), linear(attention.out_proj)
    batch, heads, _, d_head = keys.shape
    some = None if mask.all() else mask  # one of nothing but Trues need not be applied at every step

    def block(x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        queries = attention.q_norm(to_query(x).view(batch, -1, heads, d_head)).transpose(1, 2)
        answers = fused_attention(queries, keys, values, some, dropout=0.0)
        return output(answers.transpose(1, 2).reshape(len(x), -1))

    return block


def feed_forward_block(feed_forward: FeedForward) -> Block:
    widen, narrow = linear(feed_forward.fc1), linear(feed_forward.fc2)
    activation = ACTIVATIONS[feed_forward.activation]
    if isinstance(feed_forward, GatedFeedForward):
        let_through = linear(feed_forward.fc3)
        return lambda x: narrow(activation(widen(x)) * let_through(x))
    return lambda x: narrow(activation(widen(x)))


def pre_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return x + block(norm(x))


def post_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return norm(x + block(x))


def side_by_side(linears: list[nn.Linear]) -> Block:
    """What all of them say, one after the other: one product, where their matrices are small enough to be copied."""
    weights = [each.weight for each in linears]
    if sum(weight.numel() for weight in weights) > CACHED:
        parts = [linear(each) for each in linears]
        return lambda x: torch.cat([part(x) for part in parts], dim=-1)
    bias = None if linears[0].bias is None else torch.cat([each.bias for each in linears])
    return product(torch.cat(weights), bias)


def linear(module: nn.Linear) -> Block:
    return product(module.weight, module.bias)


def product(weight: Float[Tensor, "d_out d_in"], bias: Float[Tensor, " d_out"] | None) -> Block:
    """x Wᵀ + b, the fastest way (tests/benchmarks/bench_parts.py): torch's kernel for few rows and a small matrix, its weights
    by inputs; else oneDNN's, where there is one."""
    small = weight.numel() <= CACHED
    weight = by_inputs(weight) if small else weight
    by_torch = partial(F.linear, weight=weight, bias=bias)
    if not onednn_serves(weight):
        return by_torch
    return lambda x: by_torch(x) if small and len(x) < MANY else by_onednn(x, weight, bias)


def by_inputs(weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "d_out d_in"]:
    """The same matrix, but in memory the weights of one input lie side by side."""
    return weight.T.contiguous().T


def norm_function(norm: LayerNorm | RMSNorm) -> Block:
    shape = norm.weight.shape
    if isinstance(norm, RMSNorm):
        return partial(F.rms_norm, normalized_shape=shape, weight=norm.weight, eps=norm.eps)
    return partial(F.layer_norm, normalized_shape=shape, weight=norm.weight, bias=norm.bias, eps=norm.eps)
