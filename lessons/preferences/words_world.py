"""Pronunciations as a world: the American base is judged by the British dictionary, pair by pair.

Pairs are two sampled pronunciations of a word; the one that is nearer to the British dictionary, in edits, is preferred. The
dictionary was made by people who listen for a living. The base says 83 % of British words wrong, so there is much to prefer.
Plain fine-tuning on the same words, in as many updates, is told the answer; preferences only tell the better of two.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lessons.preferences.world import Arm, World
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, tokenize, vocabulary, words
from lessons.task.finetuning import adapted, fine_tune
from lessons.task.scoring import edit_distance, evaluate, source_batch
from rlhf import Preferences, RewardConfig, RewardModel, collate_preferences, train_reward_model
from rlhf.preferences import Preference
from rlhf.responses import response_mask
from transformer import generate

LONGEST = 30
ROUNDS, TEMPERATURE = 4, 1.5
"""How often each word is sampled twice. The base is sure of itself: at temperature 1 its two samples seldom differ."""
ARMS = (
    Arm("PPO", 0.1, learning_rate=3e-3, steps=20),
    Arm("GRPO", 0.1, learning_rate=3e-3, steps=30),
    Arm("DPO", 0.1, learning_rate=3e-3, epochs=2),
)


def make_world(seed: int, word_count: int = 1000, test_words: int = 300) -> World:
    base = load_base()
    learnt, held_out = fine_tuning_words("british", word_count), words("british", "test", test_words)
    pairs = judged_pairs(base, learnt, seed)
    source = source_batch(learnt[:512])
    samples = samples_of(base, source, 1.0, torch.Generator().manual_seed(seed))
    torch.manual_seed(seed)
    judge = copy.deepcopy(base)
    judge.requires_grad_(True)
    reward_model = RewardModel(judge)
    settings = RewardConfig(epochs=3, learning_rate=1e-3, seed=seed)
    train_reward_model(reward_model, pairs, settings, samples=(source, samples))
    return World(
        policy=lambda: adapted("lora", seed),
        reward_model=reward_model,
        gold=minus_edits,
        prompts=source_batch(learnt),
        held_out=source_batch(held_out),
        pairs=pairs,
        held_out_pairs=judged_pairs(base, words("british", "development", test_words), seed + 1),
        max_new_tokens=LONGEST,
        spelled=vocabulary().decode,
        examine=lambda policy: greedy_errors(policy, held_out),
    )


def greedy_errors(policy: nn.Module, held_out: Sequence[str]) -> dict[str, float]:
    found = evaluate(policy, held_out, "british")
    return {"phoneme_error": found.phoneme_error, "word_error": found.word_error}


def told_the_answer(seed: int, word_count: int, steps: int, test_words: int = 300) -> dict[str, float]:
    """Plain fine-tuning with LoRA on the same words: what the arms are compared with."""
    policy, _ = fine_tune("lora", fine_tuning_words("british", word_count), steps=steps, seed=seed)
    return greedy_errors(policy, words("british", "test", test_words))


def minus_edits(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
    """Minus the edits to the nearest British pronunciation of each word: 0 is right."""
    return torch.tensor(
        [
            -float(edits(vocabulary().decode(letters), said[real].tolist()))
            for letters, said, real in zip(source.tolist(), responses, mask, strict=True)
        ]
    )


def edits(word: str, said: Sequence[int]) -> int:
    spoken = tokenize(vocabulary().decode_pronunciation(said))
    return min(edit_distance(spoken, tokenize(listed)) for listed in load("british")[word])


def judged_pairs(base: nn.Module, chosen_words: Sequence[str], seed: int) -> Preferences:
    """Two samples of each word, the nearer one first; pairs that are equally near say nothing and are left out."""
    generator = torch.Generator().manual_seed(seed)
    source = source_batch(chosen_words)
    pairs: list[Preference] = []
    for _ in range(ROUNDS):
        both = [samples_of(base, source, TEMPERATURE, generator) for _ in range(2)]
        masks = [response_mask(ids, vocabulary().eos_id) for ids in both]
        for row, word in enumerate(chosen_words):
            said = [ids[row][mask[row]].tolist() for ids, mask in zip(both, masks, strict=True)]
            first, second = (edits(word, one) for one in said)
            if first != second:
                chosen, rejected = said if first < second else said[::-1]
                pairs.append((vocabulary().encode_word(word), chosen, rejected))
    return collate_preferences(pairs, vocabulary().pad_id)


def samples_of(base: nn.Module, source: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    return generate(base, source, LONGEST, do_sample=True, temperature=temperature, generator=generator)[:, 1:]
