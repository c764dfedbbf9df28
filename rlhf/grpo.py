"""GRPO: sample a group of responses to each prompt, and move towards the better ones of each group. No value head.

    for every step:   prompts × group_size responses → r (answers.py) → A (grpo_loss.py) → a few epochs of the loss

The KL stands in the loss, not in the reward, so its β is not PPO's: compare runs at equal KL. What k3 pulls towards is not quite
π* = ref · exp(r / β) / Z, the optimum of PPO and DPO (kl.py).

Paper     "DeepSeekMath" (arXiv 2402.03300), section 4.1 and algorithm 1
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from peft import PeftModel
from rlhf.answers import answered
from rlhf.config import SamplingConfig, at_least, not_negative
from rlhf.grpo_loss import Averaging, check_kind, grpo_advantages, grpo_loss
from rlhf.kl import Estimator
from rlhf.ppo_epochs import change, summary
from rlhf.responses import states_and_logits, token_log_probs
from rlhf.rollout import Judge, Rollout, require_adapter
from rlhf.run import OnStep, Record, Run, draw

COLUMNS = (
    *("reward", "kl", "length", "ended", "silent_groups"),
    *("loss", "ratio", "largest_ratio", "clipped", "approx_kl", "updates"),
)


@dataclass(frozen=True, kw_only=True)
class GRPOConfig(SamplingConfig):
    """The settings of GRPO, beside those of every sampling loop (config.py). The defaults are the paper's variant.

    `prompts`               prompts of a step
    `group_size`            responses to each of them
    `beta`                  the weight of the KL to the reference in the loss
    `kind`                  how the KL is estimated, "k2" or "k3" (kl.py)
    `averaging`             "response" or "constant" (grpo_loss.py)
    `divide_by_deviation`   whether an advantage is counted in deviations of its group
    """

    prompts: int = 16
    group_size: int = 8
    beta: float = 0.04
    kind: Estimator = "k3"
    averaging: Averaging = "response"
    divide_by_deviation: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, prompts=self.prompts)
        at_least(2, group_size=self.group_size)
        not_negative(beta=self.beta)
        check_kind(self.kind)


def grpo(
    policy: PeftModel,
    prompts: Int[Tensor, "prompts source"],
    reward: Judge,
    config: GRPOConfig,
    measures: Mapping[str, Judge] | None = None,
    checkpoint: str | Path | None = None,
    on_step: OnStep | None = None,
) -> list[Record]:
    """Trains the policy's adapter; returns the measurements of every step. Arguments, errors and measurements are `ppo`'s.

    loss            the mean over the updates
    silent_groups   the share of groups whose rewards are all equal: they teach nothing
    """
    require_adapter(policy)
    measures = measures or {}
    run = Run({"policy": policy}, asdict(config), (*COLUMNS, *measures), checkpoint, on_step)
    for _, generator in run.steps():
        # Each prompt group_size times in a row, which is how grpo_advantages reads its groups.
        rows = draw(len(prompts), config.prompts, generator).repeat_interleave(config.group_size)
        answers = answered(policy, prompts[rows], reward, config, generator)
        advantages = grpo_advantages(answers.paid, config.group_size, config.divide_by_deviation)
        silent = rearrange(advantages == 0.0, "(groups member) -> groups member", member=config.group_size).all(dim=1)
        record = epochs_on(run, policy, answers.rollout, advantages, config)
        run.record(record | answers.measured(measures) | {"silent_groups": float(silent.double().mean())})
    return run.history


def epochs_on(
    run: Run, policy: PeftModel, rollout: Rollout, advantages: Float[Tensor, " batch"], config: GRPOConfig
) -> Record:
    """All epochs on one rollout, each one update; the means of their measurements."""
    records: list[Record] = []
    for _ in range(config.epochs):
        _, logits = states_and_logits(policy, rollout.source, rollout.responses)
        log_probs = token_log_probs(logits, rollout.responses, config.temperature)
        loss = grpo_loss(
            log_probs,
            rollout.log_probs,
            rollout.reference_log_probs,
            advantages,
            rollout.mask,
            config.beta,
            config.clip,
            config.averaging,
            config.max_new_tokens,
            config.kind,
        )
        run.descend(loss, config.clip_norm)
        records.append(
            {"loss": float(loss.detach())} | change(log_probs.detach(), rollout.log_probs, rollout.mask, config.clip)
        )
    return summary(records)
