"""The blocks of the fast step (fast.py): functions of one new position of every row."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import LayerNorm
from transformer.attention import MultiHeadAttention
from transformer.feed_forward import ACTIVATIONS, FeedForward
from transformer.fused import fused_attention

Block = Callable[[Float[Tensor, "rows d_model"]], Float[Tensor, "rows d_model"]]


class SelfAttention:
    """The new position of every row asks its past and itself. There is room for `capacity` positions."""

    def __init__(self, attention: MultiHeadAttention, rows: int, capacity: int):
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.weight = by_inputs(torch.cat([projection.weight for projection in projections]))
        self.bias = torch.cat([projection.bias for projection in projections])
        self.output = linear(attention.out_proj)
        d_head = attention.q_proj.out_features // attention.num_heads
        self.shape = (rows, 3, attention.num_heads, d_head)
        self.past = self.weight.new_empty(rows, 2, attention.num_heads, capacity, d_head)
        self.length = 0
        self.real: Tensor | None = None

    def begin(self, keys: Tensor, values: Tensor, length: int, real: Bool[Tensor, "rows 1 1 capacity"] | None) -> None:
        """A past that others have computed; `real` is False where it holds padding."""
        self.past[:, 0], self.past[:, 1] = keys, values
        self.length, self.real = length, real

    def __call__(self, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        query, keys_and_values = F.linear(x, self.weight, self.bias).view(self.shape).split((1, 2), dim=1)
        self.past[:, :, :, self.length] = keys_and_values
        self.length += 1
        keys, values = self.past[:, :, :, : self.length].unbind(dim=1)
        real = None if self.real is None else self.real[..., : self.length]
        heads = fused_attention(query.transpose(1, 2), keys, values, real, dropout=0.0)
        return self.output(heads.reshape(x.shape))

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
    keys = attention.split_heads(attention.k_proj(memory)).contiguous()
    values = attention.split_heads(attention.v_proj(memory)).contiguous()
    to_query, output = linear(attention.q_proj), linear(attention.out_proj)
    batch, heads, _, d_head = keys.shape
    some = None if mask.all() else mask  # one of nothing but Trues need not be applied at every step

    def block(x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"]:
        queries = to_query(x).view(batch, -1, heads, d_head).transpose(1, 2)
        answers = fused_attention(queries, keys, values, some, dropout=0.0)
        return output(answers.transpose(1, 2).reshape(x.shape))

    return block


def feed_forward_block(feed_forward: FeedForward) -> Block:
    widen, narrow = linear(feed_forward.fc1), linear(feed_forward.fc2)
    activation = ACTIVATIONS[feed_forward.activation]
    return lambda x: narrow(activation(widen(x)))


def pre_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return x + block(norm(x))


def post_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return norm(x + block(x))


def linear(module: nn.Linear) -> Callable[[Tensor], Tensor]:
    return partial(F.linear, weight=by_inputs(module.weight), bias=module.bias)


def by_inputs(weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, "d_out d_in"]:
    """The same matrix, but in memory the weights of one input lie side by side: a product of few rows is faster so
    (tests/benchmarks/bench_parts.py)."""
    return weight.T.contiguous().T


def norm_function(norm: LayerNorm) -> Block:
    return partial(F.layer_norm, normalized_shape=norm.weight.shape, weight=norm.weight, bias=norm.bias, eps=norm.eps)
