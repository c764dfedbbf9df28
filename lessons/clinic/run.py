"""A run as the checks see it: its model, its batches, and what was measured of them.

What several checks need (logits with and without the adapter, gradients) is computed once.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.reading import Reading, logits_of, read, token_losses
from lessons.clinic.subject import Subject

MOST_BATCHES = 4


class Run(Subject):
    """`optimizer` says that the run is in the middle of training; without one, the model is in use."""

    def __init__(
        self,
        model: nn.Module,
        batches: Sequence[Any] = (),
        optimizer: torch.optim.Optimizer | None = None,
        tokenizer: Any = None,
        config: Any = None,
        base: nn.Module | None = None,
        folder: str | Path | None = None,
        other: Sequence[Any] = (),
        held_out: Sequence[Any] = (),
        loss: Callable[[nn.Module, Sequence[Any]], Tensor] | None = None,
    ):
        super().__init__(model)
        self.optimizer, self.tokenizer, self.config = optimizer, tokenizer, config
        self.base, self.loss, self.given = base, loss, list(batches)
        self.folder = None if folder is None else Path(folder)
        self.dropouts = [(p, m.training) for p, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p > 0]
        self.batches, self.other, self.held_out = (self.readings(x) for x in (batches, other, held_out))

    def readings(self, batches: Sequence[Any]) -> list[Reading]:
        return [read(batch, self.causal, self.pad_id, self.eos_id) for batch in list(batches)[:MOST_BATCHES]]

    def losses(self, readings: Sequence[Reading], adapter: bool = True) -> float:
        """Nats per counted token, in evaluation mode."""
        total, count = 0.0, 0
        with nullcontext() if adapter else self.without():
            for reading in readings:
                total += float(token_losses(self.logits(reading), reading.labels).sum())
                count += int(reading.counted.sum())
        return total / count if count else float("nan")

    def logits(self, reading: Reading, model: nn.Module | None = None, training: bool = False) -> Tensor:
        """Those of `model`, by default the run's."""
        chosen = self.model if model is None else model
        chosen.train(training)
        with torch.no_grad():
            return logits_of(chosen, reading, self.theirs)

    @cached_property
    def with_adapter(self) -> list[Tensor]:
        return [self.logits(reading) for reading in self.batches]

    @cached_property
    def without_adapter(self) -> list[Tensor]:
        with self.without():
            return [self.logits(reading) for reading in self.batches]

    @cached_property
    def tokens(self) -> int:
        return sum(int(reading.counted.sum()) for reading in self.batches)

    @cached_property
    def loss_now(self) -> float:
        return self.mean_loss(self.with_adapter)

    @cached_property
    def loss_of_base(self) -> float:
        return self.mean_loss(self.without_adapter)

    def mean_loss(self, logits: Sequence[Tensor]) -> float:
        lost = sum(float(token_losses(x, r.labels).sum()) for x, r in zip(logits, self.batches, strict=True))
        return lost / max(1, self.tokens)

    @cached_property
    def gradients(self) -> Mapping[int, Tensor]:
        """id of a trainable parameter → its gradient of the mean loss of the first batch; those without one are left out."""
        wanted = [p for p in self.model.parameters() if p.requires_grad]
        if not wanted or not self.batches or not self.tokens:
            return {}
        for parameter in self.model.parameters():
            parameter.grad = None
        self.model.train()
        for module in self.model.modules():  # the mode that checkpointing asks for, without dropout's noise
            module.training = module.training and not isinstance(module, nn.Dropout)
        reading = self.batches[0]
        with warnings.catch_warnings(action="ignore"):
            loss = token_losses(logits_of(self.model, reading, self.theirs), reading.labels).sum() / self.tokens
            if loss.requires_grad:
                loss.backward()
        return {id(p): p.grad for p in wanted if p.grad is not None}
