"""A reward model on what people really said: 23,703 sentences, each rated by a dozen or more of them.

    pair        two sentences of one domain, one rating drawn for each; the higher one is preferred, ties are left out
    agreement   how often the reward model, or a second pair of raters, prefers the same sentence

Each rating is one person's, so pairs contradict each other as often as people do: nobody can agree with all of them, and
the people's own agreement is the measure. The model is a sentence encoder with LoRA (lessons/sentiment) and one number as
its head; the loss is Bradley and Terry's.

    python -m lessons rlhf --ratings        after `make sentiment feedback-data`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from rich.table import Table

from lessons.data.feedback import RatedSentence, load_ratings
from lessons.machine import best_device, bf16_pays
from lessons.sentiment.encoder import encode, encoder_folder, load_encoder, load_tokenizer
from lessons.sentiment.measures import correlation, mean_ratings
from lessons.sentiment.model import SentimentModel, as_batch, predict
from lessons.sentiment.rows import part_of, place_of
from peft import get_peft_model, recipe
from rlhf import preference_loss
from transformer.checkpoint import write_json
from transformer.schedule import cosine_schedule

PUBLISHED = {"tweets": 0.881, "movies": 0.451, "amazon": 0.565, "news": 0.492}
"""Pearson's r of VADER with the raters' mean, as its paper prints it (table 4)."""
STEPS, BATCH, RATE, HEAD_RATE = 150, 32, 1e-3, 5e-3
TEST_SENTENCES, TEST_PAIRS = 600, 2000


@dataclass(frozen=True)
class Pairs:
    """Indices of the preferred and of the other sentence, and whether a second pair of raters says the same."""

    chosen: np.ndarray
    rejected: np.ndarray
    confirmed: np.ndarray
    """1: the second pair of raters agrees, 0: it does not, NaN: it saw no difference."""


def rated_pairs(sentences: Sequence[RatedSentence], count: int, random: np.random.Generator) -> Pairs:
    """`count` draws of two sentences and of two different ratings for each; fewer pairs, since ties are left out."""
    chosen, rejected, confirmed = [], [], []
    for _ in range(count):
        left, right = random.choice(len(sentences), size=2, replace=False)
        (first, again), (second, anew) = (
            random.choice(sentences[one].ratings, 2, replace=False) for one in (left, right)
        )
        if first == second:
            continue
        better, worse, same = (left, right, again - anew) if first > second else (right, left, anew - again)
        chosen.append(better)
        rejected.append(worse)
        confirmed.append(np.nan if same == 0 else float(same > 0))
    return Pairs(np.array(chosen), np.array(rejected), np.array(confirmed))


def train(model: SentimentModel, rows: Sequence[list[int]], pairs: Pairs, steps: int, seed: int) -> list[float]:
    """AdamW on the adapter and the head; the loss of every step."""
    groups = recipe("lora").groups(model.encoder, RATE, 0.01)
    groups.append({"params": list(model.head.parameters()), "lr": HEAD_RATE, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    peaks = [group["lr"] for group in optimizer.param_groups]
    device, random, losses = model.head.weight.device, np.random.default_rng(seed), []
    for step in track(range(1, steps + 1), "the reward model"):
        batch = random.choice(len(pairs.chosen), size=min(BATCH, len(pairs.chosen)), replace=False)
        both = [rows[index] for index in (*pairs.chosen[batch], *pairs.rejected[batch])]
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * cosine_schedule(step, steps, warmup=max(1, steps // 10))
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device)):
            rewards = model(as_batch(model.encoder, both).to(device)).float()
        loss = preference_loss(rewards[: len(batch)], rewards[len(batch) :])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def agreements(
    sentences: Sequence[RatedSentence], rewards: np.ndarray, random: np.random.Generator
) -> dict[str, float]:
    """Of one domain: model with people, people with people on the same pairs, and the correlation with their mean."""
    pairs = rated_pairs(sentences, TEST_PAIRS, random)
    decided = ~np.isnan(pairs.confirmed)
    return {
        "model": float(np.mean(rewards[pairs.chosen] > rewards[pairs.rejected])),
        "people": float(np.mean(pairs.confirmed[decided])),
        "correlation": correlation(mean_ratings(sentences), rewards),
        "pairs": len(pairs.chosen),
    }


def run(out: Path, steps: int = STEPS, seed: int = 0) -> dict[str, Any]:
    """Trains on half of every domain, measures on sentences of the other half, and keeps ratings.json."""
    ratings = load_ratings()
    folder = encoder_folder()
    torch.manual_seed(seed)
    encoder = get_peft_model(load_encoder(folder), recipe("lora").config())
    model = SentimentModel(encoder).to(best_device())
    tokenizer = load_tokenizer(folder, encoder.config)
    random = np.random.default_rng(seed)
    rows: list[list[int]] = []
    chosen, rejected = [], []
    for rated in ratings.values():
        taught = [sentence for sentence in rated if part_of(sentence) == "train"]
        pairs = rated_pairs(taught, steps * BATCH // len(ratings), random)
        chosen.append(pairs.chosen + len(rows))
        rejected.append(pairs.rejected + len(rows))
        rows += encode(tokenizer, [sentence.text for sentence in taught])
    every = Pairs(np.concatenate(chosen), np.concatenate(rejected), np.full(sum(map(len, chosen)), np.nan))
    model.train()
    losses = train(model, rows, every, steps, seed)
    found = {}
    for domain, rated in ratings.items():
        test = sorted((sentence for sentence in rated if part_of(sentence) == "test"), key=place_of)[:TEST_SENTENCES]
        rewards = predict(model, encode(tokenizer, [sentence.text for sentence in test]))
        found[domain] = agreements(test, rewards, random) | {"published_correlation": PUBLISHED[domain]}
    command = "python -m lessons rlhf --ratings"
    result = {
        "command": command,
        "steps": steps,
        "seed": seed,
        "pairs": len(every.chosen),
        "loss": losses,
        "domains": found,
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "ratings.json", result)
    return result


def table(result: dict[str, Any]) -> Table:
    shown = Table(title=f"A reward model on {result['pairs']:,} pairs of single ratings, on held-out sentences")
    for header in (
        "domain",
        "model with people",
        "people with people",
        "r with the mean rating",
        "r of VADER, published",
    ):
        shown.add_column(header, justify="left" if header == "domain" else "right")
    for domain, cells in result["domains"].items():
        percents = (f"{100 * cells[name]:.1f} %" for name in ("model", "people"))
        shown.add_row(domain, *percents, *(f"{cells[name]:.3f}" for name in ("correlation", "published_correlation")))
    return shown
