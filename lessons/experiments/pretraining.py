"""Lesson 9's measurements: padding, a short pretraining, a run that is killed and goes on, guessing the next letter."""

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from lessons.task.base import model_card
from lessons.task.dictionary import load, vocabulary, words
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate, predict
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_report
from transformer import (
    DecoderOnly,
    TrainingConfig,
    Transformer,
    epoch_batches,
    label_smoothed_cross_entropy,
    noam_schedule,
    parameter_groups,
    train,
)
from transformer.learning.batching import Pair, pad

D_MODEL, WARMUP, STEPS = 4, 4, (1, 4, 16)
SMALL = replace(base_config(), d_model=64, num_encoder_layers=2, num_decoder_layers=2, d_ff=256, dropout=0.0)
SPOKEN = ("cat", "nation", "machine", "telephone")
GROUPS = {"2-4": range(2, 5), "5-7": range(5, 8), "8-10": range(8, 11), "11+": range(11, 99)}


def rates_by_hand() -> list[float]:
    return [noam_schedule(step, D_MODEL, WARMUP) for step in STEPS]


def two_ways_to_batch(examples: Sequence[Pair]) -> dict[str, list[list[int]]]:
    """Batches in random order, and of like length."""
    alike = epoch_batches(examples, max_tokens=1000, seed=0, epoch=0)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).tolist()
    size = len(examples) // len(alike)
    drawn = [order[start : start + size] for start in range(0, len(order) - size, size)]
    return {"words in random order": drawn, "words of like length": alike}


def padding_share(examples: Sequence[Pair], batches: Sequence[Sequence[int]]) -> float:
    """The share of all places of the target matrices that is padding, in per cent."""
    lengths = [[len(examples[index][1]) for index in batch] for batch in batches]
    return 100 - 100 * sum(map(sum, lengths)) / sum(max(batch) * len(batch) for batch in lengths)


@dataclass
class Short:
    """A short pretraining: every loss; at some steps the phoneme error and what it says."""

    losses: list[float] = field(default_factory=list)
    errors: dict[int, float] = field(default_factory=dict)
    sayings: dict[str, dict[str, str]] = field(default_factory=dict)


def short_pretraining(examples: Sequence[Pair], steps: int, tested: Sequence[str]) -> Short:
    torch.manual_seed(0)
    model, found = Transformer(SMALL), Short()

    def listen(step: int, loss: float) -> None:
        if step in {1, steps // 8, steps // 4, steps // 2, steps}:
            found.errors[step] = 100 * evaluate(model, tested, "american").phoneme_error
            found.sayings[f"step {step}"] = predict(model, SPOKEN)

    config = TrainingConfig(steps=steps, learning_rate=3e-3, warmup=30, max_tokens=1000)
    found.losses = train(model, examples, config, on_step=listen)
    return found


class PowerCutError(Exception):
    """Ends a run in the middle of a step."""


def killed_and_resumed(examples: Sequence[Pair], killed_at: int = 17) -> tuple[int, bool]:
    """The first step that the resumed run does, and whether it ends with the very weights of a run that was not killed."""
    config = TrainingConfig(steps=30, learning_rate=3e-3, warmup=5, max_tokens=400, checkpoint_every=10)

    def fresh() -> Transformer:
        torch.manual_seed(1)
        return Transformer(base_config())

    def cut(step: int, loss: float) -> None:
        if step == killed_at:
            raise PowerCutError

    whole, resumed, done = fresh(), fresh(), []
    train(whole, examples, config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "training.safetensors"
        with contextlib.suppress(PowerCutError):
            train(fresh(), examples, config, checkpoint=file, on_step=cut)
        train(resumed, examples, config, checkpoint=file, on_step=lambda step, loss: done.append(step))
    return done[0], all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def wrong_by_length(model: Transformer, tested: Sequence[str]) -> dict[str, dict[str, float]]:
    """With stress and without → group of lengths → words wrong in per cent."""
    said, listed = predict(model, tested), load("american")

    def without_stress(text: str) -> str:
        return text.replace("ˈ", "").replace("ˌ", "")

    wrong = {
        "sounds and stress": {word: said[word] not in listed[word] for word in tested},
        "sounds only": {word: without_stress(said[word]) not in map(without_stress, listed[word]) for word in tested},
    }
    return {
        name: {
            group: 100 * sum(table[word] for word in chosen) / max(1, len(chosen))
            for group, lengths in {**GROUPS, "all": range(99)}.items()
            for chosen in [[word for word in tested if len(word) in lengths]]
        }
        for name, table in wrong.items()
    }


def next_letter_loss(model: DecoderOnly, ids: torch.Tensor) -> torch.Tensor:
    """The text is its own label, one step ahead."""
    return label_smoothed_cross_entropy(model(ids[:, :-1]), ids[:, 1:], pad_id=vocabulary().pad_id)


def learn_to_spell(chosen: Sequence[str], steps: int) -> tuple[DecoderOnly, dict[int, float]]:
    """A decoder-only model on letters alone, and step → its loss on new words."""
    tokens = vocabulary()
    rows = [[tokens.bos_id, *tokens.encode_word(word)] for word in chosen]
    unseen = pad(
        [[tokens.bos_id, *tokens.encode_word(word)] for word in words("american", "development", 300)], tokens.pad_id
    )
    torch.manual_seed(0)
    speller, drawn, curve = DecoderOnly(replace(SMALL, num_encoder_layers=0)), torch.Generator().manual_seed(0), {}
    optimizer = torch.optim.AdamW(parameter_groups(speller, 3e-3, 0.01))
    for step in range(1, steps + 1):
        batch = [rows[row] for row in torch.randint(len(rows), (64,), generator=drawn).tolist()]
        loss = next_letter_loss(speller, pad(batch, tokens.pad_id))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            with torch.no_grad():
                curve[step] = float(next_letter_loss(speller, unseen))
    return speller, curve


@kept_claim
def what_carries_over() -> Values:
    """Fine-tuned from the base, and the same words and steps from random weights; from the saved run."""
    values = {name: 100 * kept_mean(name, "british", "phoneme_error") for name in ("full", "scratch")}
    claim(values["full"] < values["scratch"] / 3, "from the base it learns far more", **values)
    return values | {"steps": kept_report()["run"]["steps"], "words": kept_report()["run"]["train_words"]}


@kept_claim
def the_base() -> Values:
    """What the model card says."""
    card = model_card()
    errors, moved = card["held_out"]["american"], card["american_moved"]
    values = {
        "steps": card["training"]["steps"],
        "minutes": card["seconds"] / 60,
        "phonemes": 100 * errors["phoneme_error"],
        "words": 100 * errors["word_error"],
        "british": 100 * card["held_out"]["british"]["word_error"],
        "moved": max(100 * found["word_error"] for found in moved.values()),
    }
    claim(values["words"] < 25.5, "a quarter of new words is wrong", **values)
    claim(values["moved"] < 1.1 * values["words"], "moved letters cost it nothing", **values)
    return values
