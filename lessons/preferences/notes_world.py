"""The notes as a world: a first model, judged pairs, a reward model, and what is tried in it."""

import copy

import torch

from lessons.preferences import notes
from lessons.preferences.world import Arm, World
from peft import LoraConfig, PeftModel, get_peft_model
from rlhf import RewardConfig, RewardModel, train_reward_model
from transformer import Transformer, generate

ARMS = (
    *(Arm("PPO", beta, learning_rate=3e-3, steps=60) for beta in (0.0, 0.1, 0.4)),
    *(Arm("GRPO", beta, learning_rate=3e-3, steps=60) for beta in (0.0, 0.1)),
    Arm("DPO", 0.1, learning_rate=1e-3, epochs=3),
)


def make_world(seed: int, first_steps: int = 600, pairs: int = 2000, sources: int = 512) -> World:
    """Takes about 25 seconds on one quiet core."""
    first = notes.first_model(seed, first_steps)
    judged = notes.judged_pairs(first, pairs, seed + 1)
    generator = torch.Generator().manual_seed(seed + 2)
    source = notes.sources(sources, generator)
    samples = generate(first, source, notes.LONGEST_NOTE, do_sample=True, generator=generator)[:, 1:]
    torch.manual_seed(seed)
    reward_model = RewardModel(copy.deepcopy(first))
    train_reward_model(reward_model, judged, RewardConfig(epochs=4, seed=seed), samples=(source, samples))
    return World(
        policy=lambda: policy_of(first),
        reward_model=reward_model,
        gold=notes.gold,
        prompts=notes.sources(4000, generator),
        held_out=notes.sources(sources, generator),
        pairs=judged,
        held_out_pairs=notes.judged_pairs(first, pairs // 2, seed + 3),
        max_new_tokens=notes.LONGEST_NOTE,
        spelled=notes.spelled,
        examine=lambda policy: {},
    )


def policy_of(first: Transformer) -> PeftModel:
    return get_peft_model(copy.deepcopy(first), LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
