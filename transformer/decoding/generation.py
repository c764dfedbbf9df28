"""Generation: from a distribution over the next token to a sequence.

    greedy      y_t = argmax p(· | y_{<t}, source)
    sampling    y_t ~ p, sharpened and cut (sampling.py)
    beam        keep the num_beams best prefixes; a finished one scores  Σ log p / length^{length_penalty}

Each step feeds one token to the decoder and finds the past in the key/value cache.

Paper     length penalty: "Google's Neural Machine Translation System" (1609.08144), section 7
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from transformer.decoding import fast as fast_decoding
from transformer.decoding.beam import beam_search
from transformer.decoding.sampling import sample
from transformer.masks import prompt_mask


def generate(
    model: Any,
    source: Int[Tensor, "batch source"],
    max_new_tokens: int,
    num_beams: int = 1,
    do_sample: bool = False,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    length_penalty: float = 1.0,
    use_cache: bool = True,
    generator: torch.Generator | None = None,
    fast: bool = False,
) -> Int[Tensor, "batch time"]:
    """Target ids that start with `bos_id`; a row that is finished is padded with `pad_id` after its `eos_id`.

    A decoder-only model continues the source instead: its rows start with the source, which is padded in front.
    `fast` takes the steps of fast.py: the same numbers, for a plain model in evaluation.

    Raises ValueError for impossible settings: beams and sampling do not mix, probabilities lie in (0, 1].
    """
    check_settings(max_new_tokens, num_beams, do_sample, temperature, top_k, top_p)
    if fast and not use_cache:
        raise ValueError("fast decoding is decoding with a cache: fast and use_cache=False do not mix")
    if max_new_tokens > model.config.max_length:
        raise ValueError(
            f"max_new_tokens {max_new_tokens} is more than the model's max_length {model.config.max_length}"
        )
    draw = partial(sample, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)
    with torch.inference_mode():
        start, next_logits = beginning(model, source, num_beams, max_new_tokens, use_cache, fast)
        if num_beams > 1:
            ids = beam_search(next_logits, model.config, start, max_new_tokens, num_beams, length_penalty)
        else:
            choose = draw if do_sample else greedy
            ids = token_by_token(next_logits, choose, start, max_new_tokens, model.config.pad_id, model.config.eos_id)
    return ids.clone()  # a tensor that was made in inference mode could not be trained on


def token_by_token(
    next_logits: Callable[[Tensor, Tensor | None], Tensor],
    choose: Callable[[Tensor], Tensor],
    tokens: Int[Tensor, "batch start"],
    max_new_tokens: int,
    pad_id: int,
    eos_id: int,
) -> Int[Tensor, "batch time"]:
    finished = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    for _ in range(max_new_tokens):
        chosen = torch.where(finished, pad_id, choose(next_logits(tokens, None)))
        tokens = torch.cat([tokens, chosen[:, None]], dim=1)
        finished |= chosen == eos_id
        if finished.all():
            break
    return tokens


def greedy(logits: Float[Tensor, "batch vocab"]) -> Int[Tensor, " batch"]:
    return logits.argmax(dim=-1)


def beginning(
    model: Any, source: Tensor, num_beams: int, max_new_tokens: int, use_cache: bool, fast: bool
) -> tuple[Tensor, Callable[[Tensor, Tensor | None], Tensor]]:
    """The first tokens of every row, and the function that continues them."""
    settings = (model, source, num_beams, max_new_tokens)
    if getattr(model, "continues_source", False):
        return source, fast_decoding.continuing(*settings) if fast else continuing(*settings, use_cache)
    start = torch.full((len(source), 1), model.config.bos_id, dtype=torch.long, device=source.device)
    return start, fast_decoding.answering(*settings) if fast else answering(*settings, use_cache)


def answering(
    model: Any, source: Tensor, num_beams: int, max_new_tokens: int, use_cache: bool
) -> Callable[[Tensor, Tensor | None], Tensor]:
    """A function (tokens so far, rows they continue) → logits of the next token, given the source."""
    memory, memory_mask = model.encode(source)
    memory = memory.repeat_interleave(num_beams, dim=0)
    if memory_mask is not None:  # one of nothing but Trues need not be applied at every step
        memory_mask = None if memory_mask.all() else memory_mask.repeat_interleave(num_beams, dim=0)
    cache = model.new_cache(max_new_tokens) if use_cache else None

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        if cache is None:
            return model.decode(tokens, memory, memory_mask)[:, -1]
        if rows is not None:
            cache.reorder(rows)
        return model.decode(tokens[:, -1:], memory, memory_mask, cache)[:, -1]

    return next_logits


def continuing(
    model: Any, source: Tensor, num_beams: int, max_new_tokens: int, use_cache: bool
) -> Callable[[Tensor, Tensor | None], Tensor]:
    """The same for a model that has no encoder: the source is the first part of the tokens."""
    real = prompt_mask(source, model.config.pad_id).repeat_interleave(num_beams, dim=0)
    cache = model.new_cache(max_new_tokens) if use_cache else None

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        if cache is None:
            generated = tokens.shape[1] - real.shape[1]
            return model.decode(tokens, real=F.pad(real, (0, generated), value=True))[:, -1]
        if rows is not None:
            cache.reorder(rows)
        return model.decode(tokens if cache.length == 0 else tokens[:, -1:], cache)[:, -1]

    return next_logits


def check_settings(
    max_new_tokens: int, num_beams: int, do_sample: bool, temperature: float, top_k: int | None, top_p: float | None
) -> None:
    if max_new_tokens < 1 or num_beams < 1:
        raise ValueError(f"max_new_tokens {max_new_tokens} and num_beams {num_beams} must be at least 1")
    if num_beams > 1 and do_sample:
        raise ValueError(f"num_beams {num_beams} and do_sample do not mix: beam search is not random")
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, not {temperature}; for temperature 0 leave do_sample False")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, not {top_k}")
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p is a probability in (0, 1], not {top_p}")
