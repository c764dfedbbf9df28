"""The probe of a training step in parts: the loss, and where each weight stands after it.

The network is a single layer, so that hundreds of changed steps are tried in seconds (recognition/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, refusal
from transformer.learning import step as trainer
from transformer.learning.config import TrainingConfig


@dataclass(frozen=True)
class Rows:
    """What a step asks of a batch: what the network says of `labels`, of which 0 is padding."""

    x: Tensor
    labels: Tensor

    def logits(self, network: nn.Module, starts: Sequence[Sequence[int]] = ()) -> Tensor:
        logits: Tensor = network(
            self.x + 0.3 * torch.tensor(starts, dtype=self.x.dtype)[..., None] if starts else self.x
        )
        return logits


def accumulation(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    network = draw.fill(nn.Linear(draw.size(2, 5), 6))
    numbers = {name: value.clone() for name, value in network.state_dict().items()}
    parts = [part(draw, rows, numbers["weight"].shape[1]) for rows in (1, draw.size(1, 2), draw.size(2, 3))]
    starts = [draw.ids(1, 5, len(batch.x), 1).tolist() for batch in parts]
    asks: dict[str, dict[str, Any]] = {
        "as it is": {},
        "clipped": {"clip": draw.uniform(0.01, 0.05)},
        "in one part": {"parts": parts[-1:]},
        "with idle parts": {"idle": draw.size(1, 2)},
        "with starts": {"starts": starts},
    }
    for name, ask in asks.items():
        network.load_state_dict(numbers)
        found |= {f"{name}: {what}": tensor for what, tensor in seen_step(network, **{"parts": parts, **ask}).items()}
    for name, factor in {"a loss that is not finite": float("nan"), "a gradient that is not finite": 1.0}.items():
        network.load_state_dict(numbers)
        found |= {f"{name}: {what}": tensor for what, tensor in broken(network, factor, parts).items()}
    return found


def part(draw: Draw, rows: int, features: int) -> Rows:
    """Rows of unequal length, filled up with padding."""
    labels = draw.ids(1, 6, rows, 4)
    for row in range(rows):
        labels[row, draw.size(1, 3) :] = 0
    return Rows(draw.normal(rows, 4, features), labels)


def seen_step(network: nn.Module, parts: list[Rows], clip: float = 1e9, **named: Any) -> dict[str, Tensor]:
    """One step of two groups, after another one's gradients; and how many graphs are alive at once."""
    optimizer = torch.optim.SGD([{"params": [parameter]} for parameter in network.parameters()], lr=0.1)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    alive: list[int] = []
    most: list[int] = []
    watched: Any = network.bias
    hooks = [
        network.register_forward_pre_hook(partial(begun, alive, most)),
        watched.register_hook(lambda _: alive.clear()),
    ]
    tokens = sum(int((batch.labels != 0).sum()) for batch in parts)
    loss = trainer.one_step(network, parts, tokens, optimizer, config(clip), 0, step=3, **named)
    for hook in hooks:
        hook.remove()
    return {
        "the loss": loss.detach().clone(),
        "does the loss carry a graph": torch.tensor(loss.requires_grad),
        "the weights afterwards": flat(network),
        "how many graphs are alive at once": torch.tensor(max(most, default=0)),
    }


def begun(alive: list[int], most: list[int], *_: Any) -> None:
    alive.append(1)
    most.append(len(alive))


def config(clip: float) -> TrainingConfig:
    return TrainingConfig(steps=3, clip_norm=clip, label_smoothing=0.1)


def flat(network: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def broken(network: nn.Module, factor: float, parts: list[Rows]) -> dict[str, Tensor]:
    """A step of weights times `factor` whose gradient is infinite: what is raised, and how many weights have moved."""
    bias: Any = network.bias
    with torch.no_grad():
        bias.mul_(factor)
    hook = bias.register_hook(lambda gradient: gradient * float("inf"))
    before = flat(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    kind = refusal(trainer.one_step, network, parts, 9.0, optimizer, config(1.0), 0)
    hook.remove()
    moved = flat(network).nan_to_num() != before.nan_to_num()
    return {"the kind of error": kind, "how many weights have moved": moved.sum()}
