"""Responses and what a model thinks of them: which token was scored by which logit, and where the scores come from.

    encoder-decoder   reads     bos  y_1  y_2        with the source in its memory
    decoder-only      reads     x_n  y_1  y_2        after the rest of the source
                      scores    y_1  y_2  y_3        state t has seen y_1 ... y_{t-1} and nothing else

The state *before* a token gives its log-probability and its value; the state *after* the last token gives the reward.

Log-probabilities are those of the distribution that was sampled from: log softmax(logits / temperature). Leave the
temperature out in one place, and the ratio to the reference is no ratio of two policies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.masks import prompt_mask


def response_mask(
    responses: Int[Tensor, "batch time"], eos_id: int, pad_id: int | None = None
) -> Bool[Tensor, "batch time"]:
    """True up to the first EOS and on it: to end is a choice like every other.

    A row without EOS was cut off. It is real to its end, or, where `pad_id` is given, to its last token that is no padding.
    """
    before_end = ((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0
    if pad_id is None:
        return before_end
    some_later = (responses != pad_id).flip(1).cumsum(dim=1).flip(1) > 0
    return before_end & some_later


def trimmed(source: Int[Tensor, "batch source"], pad_id: int) -> Int[Tensor, "batch shorter"]:
    """The same prompts without the columns of padding that all of them have in front or behind."""
    real = (source != pad_id).any(dim=0).nonzero()[:, 0]
    if not len(real):
        raise ValueError(f"the {len(source)} prompts hold nothing but padding ({pad_id})")
    return source[:, int(real[0]) : int(real[-1]) + 1]


def states_and_logits(
    model: Any, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch time d_model"], Float[Tensor, "batch time vocab"]]:
    """The last layer before each token of the response, and the logits that score it. One pass gives both."""
    with heard(model.output) as inputs:
        if getattr(model, "continues_source", False):
            text, real = continued(model, source, responses[:, :-1])
            logits = model(text, real=real)[:, source.shape[1] - 1 :]
        else:
            logits = model(source, started(model, responses[:, :-1]))
    return inputs[-1][:, -responses.shape[1] :], logits


def states_after(
    model: Any, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time d_model"]:
    """The last layer after each token of the response."""
    with heard(model.output) as inputs:
        if getattr(model, "continues_source", False):
            text, real = continued(model, source, responses)
            model(text, real=real)
        else:
            model(source, started(model, responses))
    return inputs[-1][:, -responses.shape[1] :]


def started(model: Any, responses: Tensor) -> Tensor:
    """The decoder's input: bos, then the response."""
    return torch.cat([responses.new_full((len(responses), 1), model.config.bos_id), responses], dim=1)


def continued(model: Any, source: Tensor, responses: Tensor) -> tuple[Tensor, Tensor]:
    """The text of a decoder-only model, and which of it is real: the source is padded in front."""
    text = torch.cat([source, responses], dim=1)
    real = torch.cat([prompt_mask(source, model.config.pad_id), torch.ones_like(responses, dtype=torch.bool)], dim=1)
    return text, real


@contextmanager
def heard(module: nn.Module) -> Iterator[list[Tensor]]:
    """Notes what goes into a module while it runs."""
    inputs: list[Tensor] = []

    def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        inputs.append(arguments[0])

    handle = module.register_forward_pre_hook(note)
    try:
        yield inputs
    finally:
        handle.remove()


def token_log_probs(
    logits: Float[Tensor, "batch time vocab"], responses: Int[Tensor, "batch time"], temperature: float = 1.0
) -> Float[Tensor, "batch time"]:
    """log π(y_t | x, y_{<t}) at the temperature that y was sampled with."""
    scaled = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    return (scaled / temperature).log_softmax(dim=-1).gather(-1, responses.unsqueeze(-1)).squeeze(-1)


def token_entropy(logits: Float[Tensor, "batch time vocab"], temperature: float = 1.0) -> Float[Tensor, "batch time"]:
    """H = logsumexp(z) - Σ softmax(z) · z, in nats."""
    z = logits / temperature
    return z.logsumexp(dim=-1) - (z.softmax(dim=-1) * z).sum(dim=-1)
