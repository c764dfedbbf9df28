"""Accumulated is not the large batch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.reading import logits_of, read, token_losses
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import EOS, PAD, Published
from lessons.clinic.variants.published_runs import words
from lessons.clinic.variants.variant import Made, Variant, elsewhere
from peft import LoraConfig, SSFConfig

STOPS = small("stops", LoraConfig(r=2, lora_alpha=2, target_modules=("fc1", "fc2")))
PAIRS = small("pairs", SSFConfig())
Loop = Callable[[nn.Module, Sequence[Any]], Tensor]


def sums(model: nn.Module, batches: Sequence[Any]) -> list[tuple[Tensor, int]]:
    readings = [read(batch, True, PAD, EOS) for batch in batches]
    return [
        (token_losses(logits_of(model, each, True), each.labels).sum(), int(each.counted.sum())) for each in readings
    ]


def large(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    found = sums(model, batches)
    return torch.stack([total for total, _ in found]).sum() / sum(count for _, count in found)


def means(model: nn.Module, batches: Sequence[Any]) -> list[Tensor]:
    return [total / count for total, count in sums(model, batches)]


def of_means(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    return torch.stack(means(model, batches)).mean()


def added(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    return torch.stack(means(model, batches)).sum()


def kept(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    return means(model, batches)[-1]


def four(wrong: Loop) -> Callable[[Path], Made]:
    """Four batches of a model of transformers, one of them of a single short row."""

    def make(folder: Path) -> Made:
        first, second = words()
        short = {name: tensor[:1] for name, tensor in first.items()}
        given = {"model": Published(), "batches": [short, second, first, {n: t[2:] for n, t in second.items()}]}
        return {**given, "loss": wrong}, {**given, "loss": large}

    return make


VARIANTS = [
    variant
    for case, wrong in (
        ("accumulation-by-batches", of_means),
        ("accumulation-undivided", added),
        ("accumulation-keeps-the-last", kept),
    )
    for variant in (
        *elsewhere(case, {"base, dora": base("dora"), "stops": STOPS, "pairs, SSF": PAIRS}),
        Variant(case, "transformers' names, four batches", four(wrong)),
    )
]
