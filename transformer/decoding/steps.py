"""The steps of decoding: the first tokens of every row, and a function that says what may come next.

    start                        (batch, start): bos, or the text itself where a decoder alone goes on with it
    next_logits(tokens, rows)    the logits of the next token, after the tokens so far

`rows` says which row of the step before each row of tokens goes on from: beams that die make room for copies of those
that live. It is None where each goes on from its own. With `num_beams`, every source stands there so many times.

Each step feeds one token to the decoder and finds the past in the key/value cache; without the cache it reads all anew.
"""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from transformer.masks import prompt_mask

NextLogits = Callable[[Tensor, Tensor | None], Tensor]
Decoding = tuple[Tensor, NextLogits]


def answering(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int, use_cache: bool) -> Decoding:
    """The decoding of an encoder-decoder, with room for so many new tokens: it answers the source."""
    memory, memory_mask = model.encode(source)
    memory = memory.repeat_interleave(num_beams, dim=0)
    if memory_mask is not None:  # one of nothing but Trues need not be applied at every step
        memory_mask = None if memory_mask.all() else memory_mask.repeat_interleave(num_beams, dim=0)
    cache = model.new_cache(room) if use_cache else None

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        if cache is None:
            return model.decode(tokens, memory, memory_mask)[:, -1]
        if rows is not None:
            cache.reorder(rows)
        return model.decode(tokens[:, -1:], memory, memory_mask, cache)[:, -1]

    return model.start(source), next_logits


def continuing(model: Any, source: Int[Tensor, "batch source"], num_beams: int, room: int, use_cache: bool) -> Decoding:
    """The same of a model that has no encoder: it goes on with the source, the first part of the tokens."""
    real = prompt_mask(source, model.config.pad_id).repeat_interleave(num_beams, dim=0)
    cache = model.new_cache(room) if use_cache else None

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        if cache is None:
            generated = tokens.shape[1] - real.shape[1]
            return model.decode(tokens, real=F.pad(real, (0, generated), value=True))[:, -1]
        if rows is not None:
            cache.reorder(rows)
        return model.decode(tokens if cache.length == 0 else tokens[:, -1:], cache)[:, -1]

    return model.start(source), next_logits
