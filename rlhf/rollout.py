"""Rollouts: the policy answers prompts, and everything that an update needs is written down once.

    y ~ π_old(· | x)^{1/temperature}       then log π_old(y_t), log ref(y_t) and V_t, without gradient

Sampling is from the whole vocabulary. Top-k, top-p or a least length would draw from another distribution than the one
whose log-probabilities are kept, and the estimated KL would turn negative.

The policy is a model with an adapter from `peft`. The reference is the same model with its adapter disabled: no second
copy, and exactly the base for as long as nothing writes to it. If the model that should be the reference has been
fine-tuned with an adapter itself, merge that one first (`merge_and_unload`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from peft import PeftModel
from rlhf.masked import only_real
from rlhf.responses import response_mask, states_and_logits, token_log_probs
from transformer import generate

Judge = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(source, responses, mask) → one number for each row. A reward model is one, a rule may be another."""


@dataclass(frozen=True)
class Rollout:
    """What was asked, what was answered, and how likely each token was. `values` is there with a value head only."""

    source: Int[Tensor, "batch source"]
    responses: Int[Tensor, "batch time"]
    mask: Bool[Tensor, "batch time"]
    log_probs: Float[Tensor, "batch time"]
    reference_log_probs: Float[Tensor, "batch time"]
    values: Float[Tensor, "batch time"] | None = None

    def rows(self, index: Int[Tensor, " some"]) -> "Rollout":
        """Some of the responses."""
        values = None if self.values is None else self.values[index]
        source, responses, mask = self.source[index], self.responses[index], self.mask[index]
        return Rollout(source, responses, mask, self.log_probs[index], self.reference_log_probs[index], values)

    @property
    def kl(self) -> Float[Tensor, ""]:
        """Nats per response, by k1: the mean over responses of the summed log-ratios to the reference."""
        return only_real(self.log_probs - self.reference_log_probs, self.mask).sum(dim=1).mean()

    @property
    def length(self) -> Float[Tensor, ""]:
        """Tokens per response, the EOS with them: the mean."""
        return self.mask.sum(dim=1).to(self.log_probs.dtype).mean()


@torch.no_grad()
def roll_out(
    policy: PeftModel,
    source: Int[Tensor, "batch source"],
    max_new_tokens: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    value_head: nn.Module | None = None,
) -> Rollout:
    """Samples one response for each prompt. Dropout is off: otherwise π and π_old differ before anything is learnt."""
    require_adapter(policy)
    policy.eval()
    ids = generate(policy, source, max_new_tokens, do_sample=True, temperature=temperature, generator=generator)
    responses = ids[:, policy.start(source).shape[1] :]
    states, logits = states_and_logits(policy, source, responses)
    return Rollout(
        source,
        responses,
        response_mask(responses, policy.config.eos_id),
        token_log_probs(logits, responses, temperature),
        reference_log_probs(policy, source, responses, temperature),
        None if value_head is None else value_head(states),
    )


def reference_log_probs(
    policy: PeftModel,
    source: Int[Tensor, "batch source"],
    responses: Int[Tensor, "batch time"],
    temperature: float,
) -> Float[Tensor, "batch time"]:
    with reference(policy):
        _, logits = states_and_logits(policy, source, responses)
        return token_log_probs(logits, responses, temperature)


@contextmanager
def reference(policy: PeftModel) -> Iterator[PeftModel]:
    """Inside, the policy is the reference and nothing is recorded for gradients; afterwards the adapter is on again."""
    require_adapter(policy)
    with policy.disable_adapter(), torch.no_grad():
        yield policy


def require_adapter(policy: nn.Module) -> None:
    """Raises ValueError for a policy without an active adapter: it would be its own reference."""
    if not isinstance(policy, PeftModel) or not policy.active:
        raise ValueError(
            f"the policy, a {type(policy).__name__}, has no active adapter, so there is no reference to stay near: "
            "wrap it with get_peft_model(model, config)"
        )


def judged(judge: Judge, rollout: Rollout, name: str = "reward") -> Float[Tensor, " batch"]:
    """One finite number for each response. Raises as `check_scores` does: a NaN would end up in every weight."""
    with torch.no_grad():
        scores = judge(rollout.source, rollout.responses, rollout.mask)
    check_scores(scores, len(rollout.source), name)
    return scores.detach().to(rollout.log_probs.dtype)


def check_scores(scores: Any, batch: int, name: str = "reward") -> None:
    """Raises TypeError for what is no tensor, ValueError unless they are one finite number for each response."""
    if not isinstance(scores, Tensor):
        raise TypeError(f"the {name} is a tensor of one number for each response, not {type(scores).__name__}")
    if scores.shape != (batch,):
        raise ValueError(f"the {name} of {batch} responses is one number each, not shape {tuple(scores.shape)}")
    if not scores.isfinite().all():
        rows = (~scores.isfinite()).nonzero()[:, 0].tolist()
        raise ValueError(f"the {name} is {scores[rows[0]].item()} in row {rows[0]} (rows {rows[:8]})")
