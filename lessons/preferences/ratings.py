"""A reward model on what people really said: 23,703 sentences, each rated by a dozen or more of them.

The model is a sentence encoder with LoRA (lessons/sentiment) and one number as its head; the loss is Bradley and Terry's.
The pairs contradict each other as often as people do (rated_pairs.py).

    python -m lessons rlhf --ratings        after `make sentiment feedback-data`
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from rich.table import Table

from lessons.data.feedback import load_ratings
from lessons.language.message import in_language
from lessons.preferences.rated_pairs import Pairs, agreements, rated_pairs
from lessons.sentiment.encoder import encode, encoder_folder, load_encoder, load_tokenizer
from lessons.sentiment.model import SentimentModel, as_batch, predict
from lessons.sentiment.rows import part_of, place_of
from lessons.sentiment.updates import Updates
from lessons.task.machine import best_device, bf16_pays
from peft import get_peft_model, recipe
from rlhf import preference_loss
from transformer.learning.formats import write_json

VADER = {"tweets": 0.881, "movies": 0.451, "amazon": 0.565, "news": 0.492}
"""Pearson's r of VADER with the raters' mean, as its paper prints it (table 4)."""
STEPS, BATCH, RATE, HEAD_RATE = 150, 32, 1e-3, 5e-3
TEST_SENTENCES = 600


def train(model: SentimentModel, rows: Sequence[list[int]], pairs: Pairs, steps: int, seed: int) -> list[float]:
    """AdamW on the adapter and the head; the loss of every step."""
    updates = Updates(model, "lora", RATE, HEAD_RATE, steps)
    device, random = model.head.weight.device, np.random.default_rng(seed)
    for _ in track(range(steps), "the reward model"):
        batch = random.choice(len(pairs.chosen), size=min(BATCH, len(pairs.chosen)), replace=False)
        both = [rows[index] for index in (*pairs.chosen[batch], *pairs.rejected[batch])]
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device)):
            rewards = model(as_batch(model.encoder, both).to(device)).float()
        updates.take(preference_loss(rewards[: len(batch)], rewards[len(batch) :]))
    return updates.losses


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
        found[domain] = agreements(test, rewards, random) | {"published_correlation": VADER[domain]}
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


HEADINGS = ["domain", "model with people", "people with people", "r with the mean rating", "r of VADER, in its paper"]


def lines(result: dict[str, Any]) -> list[list[str]]:
    """Of each domain, how often the model and people agree with people; the headings first."""
    found = [HEADINGS]
    for domain, cells in result["domains"].items():
        percents = (f"{100 * cells[name]:.1f} %" for name in ("model", "people"))
        found.append([domain, *percents, *(f"{cells[name]:.3f}" for name in ("correlation", "published_correlation"))])
    return found


def table(result: dict[str, Any]) -> Table:
    shown = Table(
        title=in_language(f"A reward model on {result['pairs']:,} pairs of single ratings, on held-out sentences")
    )
    head, *rows = lines(result)
    for header in head:
        shown.add_column(in_language(header), justify="left" if header == "domain" else "right")
    for row in rows:
        shown.add_row(*map(in_language, row))
    return shown
