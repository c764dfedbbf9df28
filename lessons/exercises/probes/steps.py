"""The probe of a training step in parts: the loss, and where each weight stands after it."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, refusal
from lessons.exercises.probes.models import random_model
from transformer import Transformer
from transformer.learning import step as trainer
from transformer.learning.batching import Batch, collate
from transformer.learning.config import TrainingConfig


def accumulation(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    model = random_model(draw)
    numbers = {name: value.clone() for name, value in model.state_dict().items()}
    parts = [part(draw, rows) for rows in (1, draw.size(1, 2), draw.size(2, 3))]
    starts = [draw.ids(0, 5, len(batch.source), 1).tolist() for batch in parts]
    asks: dict[str, dict[str, Any]] = {
        "as it is": {},
        "clipped": {"clip": draw.uniform(0.01, 0.05)},
        "in one part": {"parts": parts[-1:]},
        "with idle parts": {"idle": draw.size(1, 2)},
        "with starts": {"starts": starts},
    }
    for name, ask in asks.items():
        model.load_state_dict(numbers)
        found |= {f"{name}: {what}": tensor for what, tensor in seen_step(model, **{"parts": parts, **ask}).items()}
    return found | broken(model, numbers, parts)


def part(draw: Draw, rows: int) -> Batch:
    """Targets of unequal length, so that there is padding."""
    targets = [[*draw.ids(3, 12, draw.size(0, 3) + 3 * row).tolist(), 2] for row in range(rows)]
    return collate([([*draw.ids(3, 12, draw.size(1, 4)).tolist(), 2], target) for target in targets], 0, 1)


def seen_step(model: Transformer, parts: list[Batch], clip: float = 1e9, **named: Any) -> dict[str, Tensor]:
    """One step of two groups, after another one's gradients; and how many graphs are alive at once."""
    sides = [[p for p in model.parameters() if (p.dim() < 2) == small] for small in (True, False)]
    optimizer = torch.optim.SGD([{"params": side} for side in sides], lr=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    alive: list[int] = []
    most: list[int] = []
    weight = model.decoder.layers[0].feed_forward.fc2.weight
    hooks = [
        model.register_forward_pre_hook(partial(begun, alive, most)),
        weight.register_hook(lambda _: alive.clear()),
    ]
    tokens = sum(int((batch.labels != 0).sum()) for batch in parts)
    loss = trainer.one_step(model, parts, tokens, optimizer, config(clip), 0, step=3, **named)
    for hook in hooks:
        hook.remove()
    return {
        "the loss": loss.detach().clone(),
        "does the loss carry a graph": torch.tensor(loss.requires_grad),
        "the weights afterwards": flat(model),
        "how many graphs are alive at once": torch.tensor(max(most, default=0)),
    }


def begun(alive: list[int], most: list[int], *_: Any) -> None:
    alive.append(1)
    most.append(len(alive))


def config(clip: float) -> TrainingConfig:
    return TrainingConfig(steps=3, clip_norm=clip, label_smoothing=0.1)


def flat(model: Transformer) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def broken(model: Transformer, numbers: dict[str, Tensor], parts: list[Batch]) -> dict[str, Tensor]:
    """A loss, and a gradient, that is not finite: what is raised, and whether a weight has moved."""
    found = {}
    for name, factor in {"loss": float("nan"), "gradient": 1.0}.items():
        model.load_state_dict(numbers)
        bias = model.decoder.layers[0].feed_forward.fc1.bias
        with torch.no_grad():
            bias.mul_(factor)
        hook = bias.register_hook(lambda gradient: gradient * float("inf"))
        before = flat(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        found[f"the kind of error for a {name} that is not finite"] = refusal(
            trainer.one_step, model, parts, 9.0, optimizer, config(1.0), 0
        )
        found[f"weights that a {name} that is not finite has moved"] = (
            flat(model).nan_to_num() != before.nan_to_num()
        ).sum()
        hook.remove()
    return found
