"""Answers: prompts go to the policy, its responses to the judge, and each gets a score and what is paid for it.

    prompts → rollout (rollout.py) → score = r(x, y) → paid = score - penalty · [the response did not come to its end]

PPO and GRPO learn from what is paid and report the score.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from peft import PeftModel
from rlhf.config import SamplingConfig
from rlhf.responses import trimmed
from rlhf.rollout import Judge, Rollout, judged, roll_out
from rlhf.run import Record


@dataclass(frozen=True)
class Answers:
    """A rollout that was judged.

    `scores`   what the judge said of each response
    `paid`     what the policy gets for it
    `ended`    whether it holds an EOS, or was cut off
    """

    rollout: Rollout
    scores: Float[Tensor, " batch"]
    paid: Float[Tensor, " batch"]
    ended: Bool[Tensor, " batch"]

    def measured(self, measures: Mapping[str, Judge]) -> Record:
        """Means over the responses: the score, nats to the reference, tokens, the share that ended; and every measure."""
        record = {name: float(judged(judge, self.rollout, name).mean()) for name, judge in measures.items()}
        record |= {"reward": float(self.scores.mean()), "kl": float(self.rollout.kl)}
        return record | {"length": float(self.rollout.length), "ended": float(self.ended.double().mean())}


def answered(
    policy: PeftModel,
    prompts: Int[Tensor, "batch source"],
    reward: Judge,
    config: SamplingConfig,
    generator: torch.Generator,
    value_head: nn.Module | None = None,
) -> Answers:
    """One sampled response to each prompt, and its score. Raises ValueError for a score that is not one finite number."""
    source = trimmed(prompts, policy.config.eos_id, policy.config.pad_id)
    rollout = roll_out(policy, source, config.max_new_tokens, config.temperature, generator, value_head)
    scores = judged(reward, rollout)
    ended = (rollout.responses == policy.config.eos_id).any(dim=1)
    paid = scores - config.missing_eos_penalty * (~ended).to(scores.dtype)
    return Answers(rollout, scores, paid, ended)
