"""Accumulated is not the large batch."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.case import Case, Settings
from lessons.clinic.reading import logits_of, read, token_losses
from lessons.clinic.world import World


def sums(model: Any, batches: Sequence[Any]) -> list[tuple[Tensor, int]]:
    """For each batch the sum of its losses, and its tokens."""
    found = []
    for batch in batches:
        shape = model.config
        reading = read(batch, shape.num_encoder_layers == 0, shape.pad_id, shape.eos_id)
        found.append((token_losses(logits_of(model, reading, False), reading.labels).sum(), int(reading.counted.sum())))
    return found


def by_tokens(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    """What the large batch would give."""
    found = sums(model, batches)
    return torch.stack([total for total, _ in found]).sum() / sum(count for _, count in found)


def by_batches(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    found = sums(model, batches)
    return torch.stack([total / count for total, count in found]).mean()


def undivided(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    return by_batches(model, batches) * len(batches)


def only_last(model: nn.Module, batches: Sequence[Any]) -> Tensor:
    return by_batches(model, batches[-1:])


def unequal(world: World) -> list[Any]:
    """A batch of few tokens beside a full one, as packed and padded rows give it."""
    first = dict(world.batches[0])
    first = {name: tensor[:3] for name, tensor in first.items()}
    first["labels"] = first["labels"].clone()
    first["labels"][1:] = -100
    return [*world.batches[1:], first]


def losing(wrong: Callable[[nn.Module, Sequence[Any]], Tensor]) -> Callable[[World], tuple[Settings, Settings]]:
    def make(world: World) -> tuple[Settings, Settings]:
        given = {"model": world.tuned(), "batches": unequal(world)}
        return {**given, "loss": wrong}, {**given, "loss": by_tokens}

    return make


CASES = (
    Case(
        "accumulation-by-batches", 8, "Accumulating over small batches ends elsewhere than the large batch.",
        "The mean of means: a token of a short batch counts more than one of a long batch.",
        "Sum the losses, and divide by the tokens of all batches of the step.",
        ("huggingface/trl#2175",), 9, losing(by_batches),
    ),
    Case(
        "accumulation-undivided", 8, "With accumulation the loss and the gradient are several times as large.",
        "The batches' means are summed and not divided.",
        "Divide by the number of batches, or better by the tokens of the step.",
        ("axolotl-ai-cloud/axolotl#1100",), 9, losing(undivided),
    ),
    Case(
        "accumulation-keeps-the-last", 8, "Accumulation is as noisy as one small batch.",
        "The gradient is set to zero before every batch instead of every step: only the last one counts.",
        "zero_grad() after optimizer.step() alone.",
        ("unslothai/unsloth#1134",), 9, losing(only_last),
    ),
)  # fmt: skip
