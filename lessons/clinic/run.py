"""A run as the checks see it: a model with or without an adapter, ours or of Hugging Face, and what was measured of it.

What several checks need (logits with and without the adapter, gradients) is computed once.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.reading import Reading, logits_of, read, token_losses
from peft.frame.core import Core
from peft.frame.paths import base_modules
from transformer.config import TransformerConfig

MOST_BATCHES = 4


class Run:
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
        self.model, self.optimizer, self.tokenizer, self.config = model, optimizer, tokenizer, config
        self.base, self.loss, self.given = base, loss, list(batches)
        self.folder = None if folder is None else Path(folder)
        self.dropouts = [(p, m.training) for p, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p > 0]
        self.theirs = not isinstance(self.settings, TransformerConfig)
        self.batches, self.other, self.held_out = (self.readings(x) for x in (batches, other, held_out))

    def readings(self, batches: Sequence[Any]) -> list[Reading]:
        return [read(batch, self.causal, self.pad_id, self.eos_id) for batch in list(batches)[:MOST_BATCHES]]

    @property
    def settings(self) -> Any:
        """The config of the model itself, ours or that of transformers."""
        return getattr(self.model, "config", None)

    @property
    def causal(self) -> bool:
        if self.theirs:
            return not getattr(self.settings, "is_encoder_decoder", False)
        return bool(self.settings.num_encoder_layers == 0)

    @property
    def pad_id(self) -> int:
        return self.special("pad_id", "pad_token_id")

    @property
    def eos_id(self) -> int:
        return self.eos_ids[0] if self.eos_ids else -1

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Published models may have several: of a turn, of a text."""
        found = getattr(self.settings, "eos_token_id" if self.theirs else "eos_id", None)
        return tuple(found) if isinstance(found, list | tuple) else () if found is None else (found,)

    @property
    def bos_id(self) -> int:
        return self.special("bos_id", "bos_token_id")

    def special(self, ours: str, theirs: str) -> int:
        found = getattr(self.settings, theirs if self.theirs else ours, None)
        return found if isinstance(found, int) else -1

    @cached_property
    def active(self) -> tuple[str, ...]:
        """The adapters that are switched on."""
        if isinstance(self.model, Core):
            return self.model.active
        if not self.adapted or any(getattr(m, "disable_adapters", False) is True for m in self.model.modules()):
            return ()
        names: Any = self.model.active_adapters
        return tuple(names() if callable(names) else names)

    @property
    def adapted(self) -> bool:
        """Whether an adapter is attached, ours or Hugging Face PEFT's."""
        return isinstance(self.model, Core) or bool(getattr(self.model, "peft_config", None))

    @property
    def ours(self) -> bool:
        """Whether the adapter is ours, whatever the model is."""
        return isinstance(self.model, Core)

    @cached_property
    def technique(self) -> str:
        """The peft_type of the first adapter: "LORA". Empty where there is none."""
        if not self.adapted:
            return ""
        kind = next(iter(self.model.peft_config.values())).peft_type
        return str(getattr(kind, "value", kind))

    @cached_property
    def adapter_config(self) -> Any:
        return next(iter(self.model.peft_config.values())) if self.adapted else None

    @cached_property
    def own(self) -> dict[str, nn.Parameter]:
        """The adapters' parameters by name."""
        if isinstance(self.model, Core):
            return {
                f"{name}: {key}": parameter
                for name, adapter in self.model.adapters.items()
                for key, parameter in adapter.own_parameters().items()
            }
        names = {f".{name}." for name in (self.model.peft_config if self.adapted else ())}
        return {n: p for n, p in self.model.named_parameters() if any(name in f".{n}." for name in names)}

    @contextmanager
    def without(self) -> Iterator[None]:
        """Inside, the adapters are off."""
        with self.model.disable_adapter() if self.adapted else nullcontext():
            yield

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

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The base's modules by path, as if no adapter were there."""
        if isinstance(self.model, Core):
            return dict(base_modules(self.model.base_model))
        inner = self.model.get_base_model() if self.adapted else self.model
        return {path.replace(".base_layer", ""): module for path, module in base_modules(inner)}
