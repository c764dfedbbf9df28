"""PPO on the notes, by a student's code: a reward model learns from pairs, and a policy learns to be rewarded."""

import copy

import torch

from lessons.preferences import notes
from lessons.preferences.notes_world import policy_of
from peft import PeftModel
from rlhf import PPOConfig, RewardConfig, RewardModel, ppo, roll_out, train_reward_model, value_head
from rlhf.rollout import Judge

FIRST_STEPS, PAIRS, STEPS, HELD_OUT = 80, 150, 6, 64


def ppo_raises_it() -> list[str]:
    first = notes.first_model(0, FIRST_STEPS)
    reward_model = RewardModel(copy.deepcopy(first))
    train_reward_model(reward_model, notes.judged_pairs(first, PAIRS, 1), RewardConfig(epochs=2, seed=0))
    torch.manual_seed(0)
    policy, generator = policy_of(first), torch.Generator().manual_seed(2)
    prompts, held_out = notes.sources(2000, generator), notes.sources(HELD_OUT, generator)
    judges: dict[str, Judge] = {"the reward model's score": reward_model, "the hidden truth": notes.gold}
    before = {name: scored(policy, held_out, judge) for name, judge in judges.items()}
    settings = PPOConfig(learning_rate=3e-3, steps=STEPS, max_new_tokens=notes.LONGEST_NOTE)
    ppo(policy, value_head(policy.config.d_model), prompts, reward_model, settings)
    return [
        f"{name}: {before[name]:.2f} before, {scored(policy, held_out, judge):.2f} after"
        for name, judge in judges.items()
    ]


def scored(policy: PeftModel, held_out: torch.Tensor, judge: Judge) -> float:
    """The mean over one drawn answer to each prompt that was not trained on."""
    rollout = roll_out(policy, held_out, notes.LONGEST_NOTE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float(judge(rollout.source, rollout.responses, rollout.mask).mean())
