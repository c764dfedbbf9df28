"""GRPO: sample a group of answers to each prompt, and move towards the better ones of each group. No value head.

    for every step:   prompts × group_size answers → r → A (grpo_loss.py) → a few epochs of the loss

The KL stands in the loss, not in the reward, so its β is not PPO's: compare runs at equal KL. What k3 pulls towards is not quite
π* = ref · exp(r / β) / Z, the optimum of PPO and DPO (kl.py).

Paper     "DeepSeekMath" (2402.03300), section 4.1 and algorithm 1
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from peft import PeftModel
from rlhf.grpo_loss import Averaging, grpo_advantages, grpo_loss
from rlhf.kl import Estimator
from rlhf.ppo_update import change, summary
from rlhf.responses import states_and_logits, token_log_probs, trimmed
from rlhf.rollout import Judge, Rollout, judged, require_adapter, roll_out
from rlhf.run import OnStep, Record, Run, check_run, draw

COLUMNS = (
    "reward",
    "kl",
    "length",
    "ended",
    "silent_groups",
    "loss",
    "ratio",
    "largest_ratio",
    "clipped",
    "approx_kl",
    "updates",
)


@dataclass(frozen=True)
class GRPOConfig:
    """A step has `prompts` prompts with `group_size` answers to each; the defaults are the paper's variant."""

    steps: int
    prompts: int = 16
    group_size: int = 8
    epochs: int = 1
    max_new_tokens: int = 24
    temperature: float = 1.0
    beta: float = 0.04
    kind: Estimator = "k3"
    clip: float = 0.2
    averaging: Averaging = "response"
    divide_by_deviation: bool = True
    missing_eos_penalty: float = 0.0
    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        check_run(self.steps, self.learning_rate, self.prompts, self.clip_norm, self.checkpoint_every)
        if self.epochs < 1 or self.group_size < 2:
            raise ValueError(f"epochs {self.epochs} must be at least 1, group_size {self.group_size} at least 2")
        if not self.temperature > 0.0 or not self.beta >= 0.0:
            raise ValueError(f"temperature {self.temperature} must be positive, beta {self.beta} not negative")


def grpo(
    policy: PeftModel,
    prompts: Int[Tensor, "prompts source"],
    reward: Judge,
    config: GRPOConfig,
    measures: Mapping[str, Judge] | None = None,
    checkpoint: str | Path | None = None,
    on_step: OnStep | None = None,
) -> list[Record]:
    """Trains the policy's adapter; returns the measurements of every step. The arguments are those of `ppo`."""
    require_adapter(policy)
    measures = measures or {}
    run = Run({"policy": policy}, asdict(config), (*COLUMNS, *measures), checkpoint, on_step)
    for _, generator in run.steps():
        # Each prompt group_size times in a row, which is how grpo_advantages reads its groups.
        rows = draw(len(prompts), config.prompts, generator).repeat_interleave(config.group_size)
        source = trimmed(prompts[rows], policy.config.pad_id)
        rollout = roll_out(policy, source, config.max_new_tokens, config.temperature, generator)
        scores = judged(reward, rollout)
        ended = (rollout.responses == policy.config.eos_id).any(dim=1)
        paid = scores - config.missing_eos_penalty * (~ended).to(scores.dtype)
        advantages = grpo_advantages(paid, config.group_size, config.divide_by_deviation)
        silent = rearrange(advantages == 0.0, "(groups member) -> groups member", member=config.group_size).all(dim=1)
        record = update(run, policy, rollout, advantages, config)
        record |= {name: float(judged(judge, rollout, name).mean()) for name, judge in measures.items()}
        record |= {"reward": float(scores.mean()), "kl": float(rollout.kl), "length": float(rollout.length)}
        shares = {"ended": float(ended.double().mean()), "silent_groups": float(silent.double().mean())}
        run.record(record | shares)
    return run.history


def update(
    run: Run, policy: PeftModel, rollout: Rollout, advantages: Float[Tensor, " batch"], config: GRPOConfig
) -> Record:
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
        run.update(loss, config.clip_norm)
        records.append(
            {"loss": float(loss.detach())} | change(log_probs.detach(), rollout.log_probs, rollout.mask, config.clip)
        )
    return summary(records)
