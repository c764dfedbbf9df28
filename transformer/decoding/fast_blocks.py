"""The blocks of the fast step (fast.py): functions of one new position of every row."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import LayerNorm, RMSNorm
from transformer.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer.decoding.fast_products import Block, leading, linear, side_by_side
from transformer.feed_forward import ACTIVATIONS, FeedForward, GatedFeedForward
from transformer.fused import fused_attention
from transformer.rotary import Rotate, unturned

MANY_ROWS = 64
"""From so many on, the formula is faster than torch's kernel."""
BATCHED = 400
"""Numbers of a head's keys from which on torch hands a batch of products to MKL as one."""


class SelfAttention:
    """The new position of every row asks its past and itself. There is room for `capacity` positions, in the type of `like`.

    `rotate`            turns queries and keys by this step's position
    `apart, together`   the shapes in which heads stand apart, and side by side
    `past`              (rows, 2, kv_heads, capacity, d_head): keys, and values
    """

    rotate: Rotate = staticmethod(unturned)

    def __init__(self, attention: MultiHeadAttention, rows: int, capacity: int, like: Tensor):
        self.project = side_by_side([attention.q_proj, attention.k_proj, attention.v_proj], rows)
        self.norms = (attention.q_norm, attention.k_norm)
        self.output = linear(attention.out_proj, rows)
        d_head, self.num_heads = attention.d_head, attention.num_heads
        kv_heads = attention.k_proj.out_features // d_head
        self.apart, self.together = (rows, self.num_heads + 2 * kv_heads, 1, d_head), (*leading(rows), -1)
        self.past = like.new_empty(2, rows, kv_heads, capacity, d_head).transpose(0, 1)
        self.keys, self.values = self.past.unbind(1)
        self.length = 0
        self.real: Tensor | None = None

    def begin(self, keys: Tensor, values: Tensor, length: int, real: Bool[Tensor, "rows 1 1 capacity"] | None) -> None:
        """A past that others have computed; `real` is False where it holds padding."""
        self.keys.copy_(keys)
        self.values.copy_(values)
        self.length, self.real = length, real

    def __call__(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        said = self.turned(self.project(x).view(self.apart))
        query, keys_and_values = said.tensor_split((self.num_heads,), dim=1)
        new = self.past.select(3, self.length)
        new.copy_(keys_and_values.view(new.shape))
        self.length += 1
        keys, values = self.keys.narrow(2, 0, self.length), self.values.narrow(2, 0, self.length)
        real = None if self.real is None else self.real[..., : self.length]
        # Queries that share their keys ask together, as if they were positions.
        rows, kv_heads, _, d_head = keys.shape
        heads = answers(query.view(rows, kv_heads, -1, d_head), keys, values, real)
        return self.output(heads.reshape(self.together))

    def turned(self, heads: Float[Tensor, "rows heads 1 d_head"]) -> Float[Tensor, "rows heads 1 d_head"]:
        """Queries and keys, normalized and turned in place; values stay."""
        normed = not isinstance(self.norms[0], nn.Identity)
        if self.rotate is unturned and not normed:
            return heads
        queries_and_keys = heads[:, : -self.keys.shape[1]]
        if normed:
            for part, norm in zip(queries_and_keys.tensor_split((self.num_heads,), dim=1), self.norms):
                part.copy_(norm(part))
        if self.rotate is not unturned:
            queries_and_keys.copy_(self.rotate(queries_and_keys))
        return heads

    def reorder(self, rows: Int[Tensor, " moved"], sources: Int[Tensor, " moved"]) -> None:
        """Row `rows[i]` becomes what row `sources[i]` was; the others stay. So does padding: beams of a prompt share it."""
        past = self.past[:, :, :, : self.length]
        past.index_copy_(0, rows, past.index_select(0, sources))


def feed_forward_block(feed_forward: FeedForward, rows: int) -> Block:
    widen, narrow = linear(feed_forward.fc1, rows), linear(feed_forward.fc2, rows)
    activation = ACTIVATIONS[feed_forward.activation]
    if activation is F.gelu and rows == 1:
        activation = gelu_of_few
    if isinstance(feed_forward, GatedFeedForward):
        let_through = linear(feed_forward.fc3, rows)
        return lambda x: narrow(activation(widen(x)) * let_through(x))
    return lambda x: narrow(activation(widen(x)))


def gelu_of_few(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x Φ(x). On a CPU torch asks oneDNN for numbers that lie one after the other, and asking takes longer than a row does. For
    numbers that are read twice it has a loop of its own."""
    return F.gelu(x.expand(2, *x.shape))[0] if x.device.type == "cpu" else F.gelu(x)


def answers(
    query: Float[Tensor, "rows kv_heads query d_head"],
    keys: Float[Tensor, "rows kv_heads key d_head"],
    values: Float[Tensor, "rows kv_heads key d_head"],
    mask: Bool[Tensor, "rows 1 1 key"] | None,
) -> Float[Tensor, "rows kv_heads query d_head"]:
    """Attention, by the formula or torch's kernel. The kernel makes two small products for each row and head by itself; the
    formula has all of them made in two calls, which pays where they are many and no mask takes passes of its own."""
    many = query.shape[0] >= MANY_ROWS and query.device.type == "cpu" and keys[0, 0].numel() >= BATCHED
    if many and mask is None:
        return scaled_dot_product_attention(query, keys, values)[0]
    return fused_attention(query, keys, values, mask)


def pre_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return x + block(norm(x))


def post_norm(block: Block, norm: Block, x: Tensor) -> Tensor:
    return norm(x + block(x))


def norm_function(norm: LayerNorm | RMSNorm) -> Block:
    weight, shape, eps = norm.weight, norm.weight.shape, norm.eps
    if isinstance(norm, RMSNorm):
        return lambda x: torch.rms_norm(x, shape, weight, eps)
    bias = norm.bias
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)
