"""What a demonstration is made of: a world with a reward model and a hidden truth, the arms that are tried in it, a row for
each arm.

    arm        a technique and its price β
    proxy      what the reward model says; it is what the arm follows
    gold       the truth that the reward model was learnt from; nobody may look at it but the reader
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peft import PeftModel
from rlhf import (
    DPOConfig,
    GRPOConfig,
    PPOConfig,
    Preferences,
    RewardModel,
    dpo,
    grpo,
    margins,
    ppo,
    roll_out,
    value_head,
)
from rlhf.rollout import Judge

OnStep = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Arm:
    """`steps` is for PPO and GRPO, `epochs` for DPO."""

    technique: str
    beta: float
    learning_rate: float
    steps: int = 0
    epochs: int = 0

    @property
    def name(self) -> str:
        return f"{self.technique} β={self.beta:g}"


@dataclass(frozen=True)
class World:
    """`policy()` makes a fresh policy with an adapter; `examine` adds measures that need the whole policy."""

    policy: Callable[[], PeftModel]
    reward_model: RewardModel
    gold: Judge
    prompts: Tensor
    held_out: Tensor
    pairs: Preferences
    held_out_pairs: Preferences
    max_new_tokens: int
    spelled: Callable[[Any], str]
    examine: Callable[[nn.Module], dict[str, float]]


def run_arm(world: World, arm: Arm, seed: int, checkpoint: Path | None = None, on_step: OnStep | None = None) -> dict:
    """Trains one arm and measures it on prompts that it did not see."""
    torch.manual_seed(seed)
    policy = world.policy()
    rate: dict[str, Any] = {"learning_rate": arm.learning_rate, "seed": seed}
    shared: dict[str, Any] = {**rate, "steps": arm.steps, "beta": arm.beta, "max_new_tokens": world.max_new_tokens}
    follow: dict[str, Any] = {"measures": {"gold": world.gold}, "checkpoint": checkpoint, "on_step": on_step}
    if arm.technique == "PPO":
        head = value_head(policy.config.d_model)
        history = ppo(policy, head, world.prompts, world.reward_model, PPOConfig(**shared), **follow)
    elif arm.technique == "GRPO":
        history = grpo(policy, world.prompts, world.reward_model, GRPOConfig(**shared, epochs=2), **follow)
    elif arm.technique == "DPO":
        config = DPOConfig(**rate, beta=arm.beta, epochs=arm.epochs)
        history = dpo(policy, world.pairs, config, checkpoint, on_step)
    else:
        raise ValueError(f"the techniques are PPO, GRPO and DPO, not {arm.technique!r}")
    return {"arm": arm.name, "technique": arm.technique, "beta": arm.beta, "seed": seed, "history": history} | measured(
        world, policy
    )


def measured(world: World, policy: PeftModel) -> dict[str, Any]:
    """One sampled answer to each held-out prompt: proxy, gold, KL, length, and the first few answers to read."""
    rollout = roll_out(policy, world.held_out, world.max_new_tokens, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        judged = [judge(rollout.source, rollout.responses, rollout.mask) for judge in (world.reward_model, world.gold)]
    proxy, gold = (float(scores.mean()) for scores in judged)
    answers = [
        {"source": world.spelled(source), "answer": world.spelled(answer), "proxy": float(high), "gold": float(true)}
        for source, answer, high, true in zip(world.held_out[:8].tolist(), rollout.responses[:8].tolist(), *judged)
    ]
    found = {"proxy": proxy, "gold": gold, "kl": float(rollout.kl), "length": float(rollout.length)}
    return {"final": found | world.examine(policy), "answers": answers}


def start(world: World) -> dict[str, Any]:
    """The row of the reference: nothing trained."""
    policy = world.policy()  # LoRA's B is zero: the policy is the reference
    return {"arm": "reference", "technique": "", "beta": 0.0, "history": []} | measured(world, policy)


def calibration(world: World) -> dict[str, Any]:
    """How right the reward model is: its margins on held-out pairs, and its correlation with the truth."""
    rollout = roll_out(world.policy(), world.held_out, world.max_new_tokens, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        judged = [judge(rollout.source, rollout.responses, rollout.mask) for judge in (world.reward_model, world.gold)]
    found = margins(world.reward_model, world.held_out_pairs)
    return {
        "margins": [round(float(margin), 3) for margin in found],
        "accuracy": float((found > 0).float().mean()),
        "correlation": float(torch.corrcoef(torch.stack(judged))[0, 1]),
    }
