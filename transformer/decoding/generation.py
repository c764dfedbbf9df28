"""Generation: from a distribution over the next token to a sequence.

    greedy      y_t = argmax p(· | y_{<t}, source)
    sampling    y_t ~ p, sharpened and cut (sampling.py)
    beam        keep the num_beams best prefixes; a finished one scores  Σ log p / length^{length_penalty}  (beam.py)

Paper     length penalty: "Google's Neural Machine Translation System" (arXiv 1609.08144), section 7
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from transformer.config import TransformerConfig
from transformer.decoding.beam import beam_search
from transformer.decoding.sampling import sample
from transformer.decoding.steps import NextLogits
from transformer.fields import require_integer


def greedy(logits: Float[Tensor, "batch vocab"]) -> Int[Tensor, " batch"]:
    return logits.argmax(dim=-1)


def token_by_token(
    next_logits: NextLogits,
    config: TransformerConfig,
    tokens: Int[Tensor, "batch start"],
    max_new_tokens: int,
    choose: Callable[[Tensor], Tensor] = greedy,
) -> Int[Tensor, "batch time"]:
    """Greedy decoding; or sampling, where `choose` draws one token of each row from its logits."""
    finished = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
    for _ in range(max_new_tokens):
        logits = next_logits(tokens, None)
        chosen = choose(logits).masked_fill(finished, config.pad_id)
        tokens = torch.cat([tokens, chosen[:, None]], dim=1)
        finished |= chosen == config.eos_id
        if finished.all():
            break
    return tokens


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
    With `num_beams` > 1 it is beam search, with `do_sample` a draw (`temperature`, `top_k`, `top_p`, `generator`), else
    greedy. A row is cut after `max_new_tokens`. Without `use_cache` every step reads all tokens anew; `fast` takes the
    steps of fast.py: the same numbers, for a plain model in evaluation.

    Raises ValueError for impossible settings (beams and sampling do not mix, probabilities lie in (0, 1]), and for a model
    whose first logits are not finite; TypeError for a model without a decoder.
    """
    check_settings(max_new_tokens, num_beams, do_sample, temperature, top_k, top_p, length_penalty)
    if not hasattr(model, "decoding"):
        raise TypeError(f"{type(model).__name__} has no decoder to generate with: take a Transformer or a DecoderOnly")
    if fast and not use_cache:
        raise ValueError("fast decoding is decoding with a cache: fast and use_cache=False do not mix")
    if max_new_tokens > model.config.max_length:
        raise ValueError(
            f"max_new_tokens {max_new_tokens} is more than the model's max_length {model.config.max_length}"
        )
    with torch.inference_mode():
        start, next_logits = model.decoding(source, num_beams, max_new_tokens, use_cache, fast)
        next_logits = finite_at_first(next_logits)
        if num_beams > 1:
            ids = beam_search(next_logits, model.config, start, max_new_tokens, num_beams, length_penalty)
        else:
            draw = partial(sample, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator)
            ids = token_by_token(next_logits, model.config, start, max_new_tokens, draw if do_sample else greedy)
    return ids.clone()  # a tensor that was made in inference mode could not be trained on


def finite_at_first(next_logits: NextLogits) -> NextLogits:
    """The same logits. The first ones are looked at, since those of broken weights (NaN) would be decoded as if they meant something."""
    seen = False

    def checked(tokens: Tensor, rows: Tensor | None) -> Tensor:
        nonlocal seen
        logits = next_logits(tokens, rows)
        if not seen and not logits.isfinite().all():
            raise ValueError(
                "the model's logits are not finite: its weights are broken, load them anew or train with a lower rate"
            )
        seen = True
        return logits

    return checked


def check_settings(
    max_new_tokens: int,
    num_beams: int,
    do_sample: bool,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    length_penalty: float,
) -> None:
    require_integer("max_new_tokens", max_new_tokens, at_least=1)
    require_integer("num_beams", num_beams, at_least=1)
    if num_beams > 1 and do_sample:
        raise ValueError(f"num_beams {num_beams} and do_sample do not mix: beam search is not random")
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, not {temperature}; for temperature 0 leave do_sample False")
    if top_k is not None:
        require_integer("top_k", top_k, at_least=1)
    if top_p is not None and not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p is a probability in (0, 1], not {top_p}")
    if not math.isfinite(length_penalty):
        raise ValueError(f"length_penalty must be a finite number, not {length_penalty}")
