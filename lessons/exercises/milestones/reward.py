"""PPO, GRPO and DPO on the notes, by a student's code: one first model, one set of judged pairs, three ways to learn from them."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from lessons.preferences import notes
from lessons.preferences.notes_world import policy_of
from peft import PeftModel
from rlhf import (
    DPOConfig,
    GRPOConfig,
    PPOConfig,
    RewardConfig,
    RewardModel,
    dpo,
    grpo,
    ppo,
    roll_out,
    train_reward_model,
    value_head,
)
from rlhf.rollout import Judge

FIRST_STEPS, PAIRS, STEPS, HELD_OUT = 80, 150, 6, 64
RATE = 3e-3


def they_raise_it() -> list[str]:
    first = notes.first_model(0, FIRST_STEPS)
    pairs = notes.judged_pairs(first, PAIRS, 1)
    reward_model = RewardModel(copy.deepcopy(first))
    train_reward_model(reward_model, pairs, RewardConfig(epochs=2, seed=0))
    generator = torch.Generator().manual_seed(2)
    prompts, held_out = notes.sources(2000, generator), notes.sources(HELD_OUT, generator)
    techniques: dict[str, Callable[[PeftModel], object]] = {
        "PPO": lambda policy: by_ppo(policy, prompts, reward_model),
        "GRPO": lambda policy: by_grpo(policy, prompts, reward_model),
        "DPO": lambda policy: dpo(policy, pairs, DPOConfig(learning_rate=RATE, epochs=4)),
    }
    lines = []
    for name, learn in techniques.items():
        torch.manual_seed(0)
        policy = policy_of(first)
        score, truth = scored(policy, held_out, reward_model), scored(policy, held_out, notes.gold)
        learn(policy)
        better, truer = scored(policy, held_out, reward_model), scored(policy, held_out, notes.gold)
        lines.append(
            f"{name}: the reward model's score goes from {score:.2f} to {better:.2f}, "
            f"the hidden truth from {truth:.2f} to {truer:.2f}"
        )
    return lines


def by_ppo(policy: PeftModel, prompts: Tensor, reward_model: RewardModel) -> None:
    """The target is what lets β move, so that the controller runs too."""
    settings = PPOConfig(
        learning_rate=RATE, steps=STEPS, max_new_tokens=notes.LONGEST_NOTE, kl_target=1.0, kl_horizon=1000
    )
    ppo(policy, value_head(policy.config.d_model), prompts, reward_model, settings)


def by_grpo(policy: PeftModel, prompts: Tensor, reward_model: RewardModel) -> None:
    grpo(
        policy,
        prompts,
        reward_model,
        GRPOConfig(learning_rate=RATE, steps=STEPS, epochs=2, max_new_tokens=notes.LONGEST_NOTE),
    )


def scored(policy: PeftModel, held_out: Tensor, judge: Judge) -> float:
    """The mean over one drawn answer to each prompt that was not trained on."""
    rollout = roll_out(policy, held_out, notes.LONGEST_NOTE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float(judge(rollout.source, rollout.responses, rollout.mask).mean())
