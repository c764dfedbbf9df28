"""Responses and what a model thinks of them: which token was scored by which logit, and where the scores come from.

    encoder-decoder   reads     bos  y_1  y_2        with the source in its memory
    decoder-only      reads     x_n  y_1  y_2        after the rest of the source
                      scores    y_1  y_2  y_3        state t has seen y_1 ... y_{t-1} and nothing else

The state *before* a token gives its log-probability and its value; the state *after* the last token gives the reward.

Log-probabilities are those of the distribution that was sampled from: log softmax(logits / temperature). Leave the
temperature out in one place, and the ratio to the reference is no ratio of two policies.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def response_mask(
    responses: Int[Tensor, "batch time"], eos_id: int, pad_id: int | None = None
) -> Bool[Tensor, "batch time"]:
    """True up to the first EOS and on it: to end is a choice like every other.

    A row without EOS was cut off. It is real to its end, or, where `pad_id` is given, to its last token that is no padding.
    Where one id is both, its first place is the end.
    """
    before_end = ((responses == eos_id).cumsum(dim=1) - (responses == eos_id).long()) == 0
    if pad_id is None or pad_id == eos_id:
        return before_end
    some_later = (responses != pad_id).flip(1).cumsum(dim=1).flip(1) > 0
    return before_end & some_later


def trimmed(source: Int[Tensor, "batch source"], eos_id: int, pad_id: int) -> Int[Tensor, "batch shorter"]:
    """The same prompts without the columns of padding that all of them have in front or behind.

    Where padding is the EOS too, the last column stays: there it is the end of a prompt (`prompt_mask`).
    """
    some_real = (source != pad_id).any(dim=0)
    some_real[-1] |= pad_id == eos_id
    real = some_real.nonzero()[:, 0]
    if not len(real):
        raise ValueError(f"the {len(source)} prompts hold nothing but padding ({pad_id})")
    return source[:, int(real[0]) : int(real[-1]) + 1]


def states_and_logits(
    model: Any, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch time d_model"], Float[Tensor, "batch time vocab"]]:
    """The last layer before each token of the response, and the logits that score it. One pass gives both."""
    states = model.states(*model.with_response(source, responses[:, :-1]))[:, -responses.shape[1] :]
    return states, model.output(states)


def states_after(
    model: Any, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time d_model"]:
    """The last layer after each token of the response."""
    return model.states(*model.with_response(source, responses))[:, -responses.shape[1] :]


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
