"""The decoder's step once more, for speed: the same numbers from fewer calls.

With one new position and few rows, calling modules and moving axes takes longer than the products. So here

    query, key, value    are one product, with the three matrices stacked
    splitting heads      is a view, for with one position no axis moves
    a single row         is a vector
    the past             is one tensor for each layer, written in one place
    beams                ask the memory of their source together, as if they were its positions

The clear decoder (decoder.py) says what is right and is the default; a test holds this one to it. It reads the weights of a
plain model in evaluation, packed weights (quant/) too: an adapter must be merged first. `generate(..., fast=True)` uses it.
"""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transformer.add_norm import AddNorm
from transformer.decoding.fast_blocks import (
    SelfAttention,
    feed_forward_block,
    norm_function,
    post_norm,
    pre_norm,
)
from transformer.decoding.fast_memory import memory_block
from transformer.decoding.fast_products import Block, linear
from transformer.decoding.steps import Decoding
from transformer.embedding import PositionModule
from transformer.products import faster_products
from transformer.rotary import rotation


def answering(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int) -> Decoding:
    """What steps.py says with the same name: the decoding of an encoder-decoder."""
    check_plain(model)
    rows = num_beams * len(source)
    decoder = FastDecoder(model, model.target_embedding, model.target_norm, model.target_positions, 0, rows)
    with faster_products(large=1):
        memory, mask = model.encode(source)
        for layer in model.decoder.layers:
            decoder.add(SelfAttention(layer.self_attention, rows, room, memory), layer.self_attention_norm)
            decoder.add(memory_block(layer.cross_attention, memory, mask, rows), layer.cross_attention_norm)
            decoder.add(feed_forward_block(layer.feed_forward, rows), layer.feed_forward_norm)
    return model.start(source), decoder.next_logits


def continuing(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int) -> Decoding:
    """That of a model that has no encoder. The clear decoder reads the prompt; its keys and values are copied."""
    check_plain(model)
    cache = model.new_cache(room)
    after_prompt = model.decode(source.repeat_interleave(num_beams, dim=0), cache)[:, -1]
    rows = len(after_prompt)
    real_tokens = cache.real[:, 0, 0, : source.shape[1]].sum(dim=1).squeeze(0)
    decoder = FastDecoder(model, model.source_embedding, model.source_norm, model.source_positions, real_tokens, rows)
    for layer, past in zip(model.decoder.layers, cache.layers, strict=True):
        keys, values = past.stored
        block = SelfAttention(layer.self_attention, rows, cache.capacity, keys)
        block.begin(keys, values, cache.length, cache.real if cache.padded else None)
        decoder.add(block, layer.self_attention_norm)
        decoder.add(feed_forward_block(layer.feed_forward, rows), layer.feed_forward_norm)

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        return after_prompt if tokens.shape[1] == source.shape[1] else decoder.next_logits(tokens, rows)

    return model.start(source), next_logits


class FastDecoder:
    """The last token of every row in, the logits of the next one out.

    `position`   where that token stands, a number for all rows or one for each of several
    """

    def __init__(
        self,
        model: Any,
        embedding: nn.Embedding,
        norm: nn.Module,
        positions: PositionModule,
        position: int | Int[Tensor, "*rows"],
        rows: int,
    ):
        self.table, self.scale, self.norm = embedding.weight, model.embedding_scale, norm
        self.config = model.config
        self.positions = positions(self.config.max_length)
        self.position = position
        self.single = rows == 1
        self.blocks: list[Block] = []
        self.pasts: list[SelfAttention] = []
        self.last_norm, self.output = model.decoder.norm, linear(model.output, rows)

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
            moved = (rows != torch.arange(len(rows), device=rows.device)).nonzero().flatten()  # many beams stay
            for past in self.pasts:
                past.reorder(moved, rows[moved])
        if tokens.shape[1] > len(self.positions):
            raise ValueError(f"the row has {tokens.shape[1]} positions; max_length is {len(self.positions)}")
        x = self.placed(torch.embedding(self.table, tokens[0, -1] if self.single else tokens[:, -1]))
        for block in self.blocks:
            x = block(x)
        return self.output(self.last_norm(x)).view(tokens.shape[0], -1)

    def placed(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows d_model"]:
        """√d_model · E[token] at its position, which is the next one from then on: added, or as a turn in every layer."""
        places = self.positions[self.position]
        self.position = self.position + 1
        if self.config.positions == "rotary":
            rotate = rotation(places.view(-1, 1), self.config, x.dtype)
            for past in self.pasts:
                past.rotate = rotate
            return self.norm(self.scale * x)
        return self.norm(torch.add(places, x, alpha=self.scale))


def check_plain(model: Any) -> None:
    """Raises ValueError for a model that does more than its weights say: adapters, hooks, dropout."""
    if what := more_than_weights(model):
        raise ValueError(f"fast decoding {what}, or leave fast out")


def more_than_weights(model: Any) -> str:
    """Why the fast step cannot stand for this model; empty where it can."""
    if model.training:
        return "leaves dropout out: call eval() first"
    for path, module in model.named_modules():
        plain = type(module) in (nn.Linear, nn.Embedding, nn.Identity, nn.ModuleList)
        plain = plain or type(module).__module__.split(".")[0] in ("transformer", "quant")
        if not plain or module._forward_hooks or module._forward_pre_hooks:
            what = "has a hook" if plain else f"is a {type(module).__name__}"
            return f"reads plain weights, but {path or 'the model'} {what}: merge adapters first"
    return ""
