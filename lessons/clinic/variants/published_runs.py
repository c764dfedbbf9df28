"""Runs whose model has transformers' names: batches for it, and an adapter with Hugging Face's names, in use or in training."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from lessons.clinic.variants.places import text
from lessons.clinic.variants.published import EOS, PAD, VOCAB, Published, PublishedPeft
from lessons.clinic.variants.variant import Made


def words() -> list[dict[str, torch.Tensor]]:
    """Batches for a model of transformers."""
    numbers = torch.Generator().manual_seed(23)
    rows = [torch.randint(3, VOCAB, (3 + index % 4,), generator=numbers).tolist() for index in range(14)]
    pairs = [(row, [*row[::-1], EOS]) for row in rows]
    return [{name: t for name, t in text(some, PAD).items() if name != "answers"} for some in (pairs[:6], pairs[6:])]


def positions(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Counted from the first token that is no padding."""
    return (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)


def in_use(sick: Callable[[PublishedPeft], object]) -> Callable[[Path], Made]:
    """Hugging Face's names, trained or so it looks; `sick` spoils it."""

    def make(folder: Path) -> Made:
        models = [PublishedPeft(Published()), PublishedPeft(Published())]
        for model in models:
            for layer in model.adapters():
                nn.init.normal_(layer.lora_B["default"].weight, std=0.05, generator=torch.Generator().manual_seed(3))
            model.eval()
        sick(models[0])
        return tuple({"model": model, "batches": words()} for model in models)

    return make


def starting(sick: Callable[[PublishedPeft, list[nn.Parameter]], object]) -> Callable[[Path], Made]:
    """Hugging Face's names, at the start of training; `sick` may change the model, and what the optimizer is given."""

    def make(folder: Path) -> Made:
        runs = []
        for spoil in (sick, lambda model, given: None):
            model = PublishedPeft(Published(layers=3), targets=("q_proj", "down_proj")).train()
            given = [p for p in model.parameters() if p.requires_grad]
            spoil(model, given)
            runs.append({"model": model, "batches": words(), "optimizer": torch.optim.AdamW(given, lr=1e-3)})
        return runs[0], runs[1]

    return make
