"""The decoder's step once more, for speed: the same numbers from fewer calls.

With one new position and few rows, calling modules and moving axes takes longer than the products. So here

    query, key, value    are one product, with the three matrices stacked
    splitting heads      is a view, for with one position no axis moves
    the past             is one tensor for each layer, written in one place
    beams                ask the memory of their source together, as if they were its positions

The clear decoder (decoder.py) says what is right and is the default; a test holds this one to it. It reads the weights of a
plain model in evaluation: an adapter must be merged first. `generate(..., fast=True)` uses it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.add_norm import AddNorm, LayerNorm
from transformer.attention import MultiHeadAttention, fused_attention
from transformer.embedding import LearnedPositions, SinusoidalPositions
from transformer.feed_forward import ACTIVATIONS, FeedForward

Block = Callable[[Float[Tensor, "rows d_model"]], Float[Tensor, "rows d_model"]]
NextLogits = Callable[[Tensor, Tensor | None], Tensor]


def answering(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int) -> NextLogits:
    """A function (tokens so far, rows they continue) → logits of the next token, given the source."""
    check_plain(model)
    memory, mask = model.encode(source)
    rows = num_beams * len(source)
    decoder = FastDecoder(model, model.target_embedding, model.target_norm, model.target_positions, 0)
    for layer in model.decoder.layers:
        decoder.add(SelfAttention(layer.self_attention, rows, room), layer.self_attention_norm)
        decoder.add(memory_block(layer.cross_attention, memory, mask), layer.cross_attention_norm)
        decoder.add(feed_forward_block(layer.feed_forward), layer.feed_forward_norm)
    return decoder.next_logits


def continuing(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int) -> NextLogits:
    """The same for a model that has no encoder. The clear decoder reads the prompt; its keys and values are copied."""
    check_plain(model)
    cache = model.new_cache(room)
    after_prompt = model.decode(source.repeat_interleave(num_beams, dim=0), cache)[:, -1]
    real_tokens = cache.real[:, 0, 0, : source.shape[1]].sum(dim=1)
    decoder = FastDecoder(model, model.source_embedding, model.source_norm, model.source_positions, real_tokens)
    for layer, store in zip(model.decoder.layers, cache.stores, strict=True):
        block = SelfAttention(layer.self_attention, len(after_prompt), cache.capacity)
        keys, values = store.stored
        block.begin(keys, values, cache.length, cache.real if cache.padded else None)
        decoder.add(block, layer.self_attention_norm)
        decoder.add(feed_forward_block(layer.feed_forward), layer.feed_forward_norm)

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        return after_prompt if tokens.shape[1] == source.shape[1] else decoder.next_logits(tokens, rows)

    return next_logits


class FastDecoder:
    """The last token of every row in, the logits of the next one out.

    `position`   where that token stands, a number for all rows or one for each
    """

    def __init__(
        self,
        model: Any,
        embedding: nn.Embedding,
        norm: nn.Module,
        positions: SinusoidalPositions | LearnedPositions,
        position: int | Int[Tensor, " rows"],
    ):
        self.tokens, self.scale, self.norm = embedding.weight, model.embedding_scale, norm
        self.positions = positions(model.config.max_length)
        self.position = position
        self.blocks: list[Block] = []
        self.pasts: list[SelfAttention] = []
        self.last_norm, self.output = model.decoder.norm, linear(model.output)

    def add(self, block: Block, around: AddNorm) -> None:
        """Puts the block behind those that are there, within its residual connection."""
        if isinstance(block, SelfAttention):
            self.pasts.append(block)
        norm = norm_function(around.norm)
        self.blocks.append(partial(pre_norm if around.order == "pre" else post_norm, block, norm))

    def next_logits(
        self, tokens: Int[Tensor, "rows time"], rows: Int[Tensor, " rows"] | None
    ) -> Float[Tensor, "rows vocab"]:
        if rows is not None:
            for past in self.pasts:
                past.reorder(rows)
        total = self.pasts[0].length + 1
        if total > len(self.positions):
            raise ValueError(f"the row has {total} positions; max_length is {len(self.positions)}")
        x = self.norm(self.scale * F.embedding(tokens[:, -1], self.tokens) + self.positions[self.position])
        self.position = self.position + 1
        for block in self.blocks:
            x = block(x)
        return self.output(self.last_norm(x))


class SelfAttention:
    """The new position of every row asks its past and itself. There is room for `capacity` positions."""

    def __init__(self, attention: MultiHeadAttention, rows: int, capacity: int):
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.weight = torch.cat([projection.weight for projection in projections])
        self.bias = torch.cat([projection.bias for projection in projections])
        self.output = linear(attention.out_proj)
        d_head = attention.q_proj.out_features // attention.num_heads
        self.shape = (rows, 3, attention.num_heads, d_head)
        self.past = self.weight.new_empty(rows, 2, attention.num_heads, capacity, d_head)
        self.spare: Tensor | None = None
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

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row i becomes what row `rows[i]` was. Padding stays: all beams of one prompt share it.

        Two tensors take turns, so that no row is overwritten before it is read.
        """
        if self.spare is None:
            self.spare = torch.empty_like(self.past)
        upto = slice(0, self.length)
        torch.index_select(self.past[:, :, :, upto], 0, rows, out=self.spare[:, :, :, upto])
        self.past, self.spare = self.spare, self.past


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
    return partial(F.linear, weight=module.weight, bias=module.bias)


def norm_function(norm: LayerNorm) -> Block:
    return partial(F.layer_norm, normalized_shape=norm.weight.shape, weight=norm.weight, bias=norm.bias, eps=norm.eps)


def check_plain(model: nn.Module) -> None:
    """Raises ValueError for a model that does more than its weights say: adapters, hooks, dropout."""
    if model.training:
        raise ValueError("fast decoding leaves dropout out: call eval() first, or leave fast out")
    for path, module in model.named_modules():
        plain = type(module) in (nn.Linear, nn.Embedding, nn.Identity, nn.ModuleList)
        plain = plain or type(module).__module__.startswith("transformer.")
        if not plain or module._forward_hooks or module._forward_pre_hooks:
            what = "has a hook" if plain else f"is a {type(module).__name__}"
            where = path or "the model"
            raise ValueError(
                f"fast decoding reads plain weights, but {where} {what}: merge adapters first, or leave fast out"
            )
