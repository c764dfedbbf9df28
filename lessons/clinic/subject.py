"""The model that is looked at: with or without an adapter, ours or of Hugging Face, asked in one way."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

from torch import nn

from peft.frame.core import Core
from peft.frame.paths import base_modules
from transformer.config import TransformerConfig


class Subject:
    """What a model is: its special tokens, its technique, which parameters are the adapter's, its modules by path."""

    def __init__(self, model: nn.Module):
        self.model: Any = model
        self.theirs = not isinstance(self.settings, TransformerConfig)

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

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The base's modules by path, as if no adapter were there."""
        if isinstance(self.model, Core):
            return dict(base_modules(self.model.base_model))
        inner = self.model.get_base_model() if self.adapted else self.model
        return {path.replace(".base_layer", ""): module for path, module in base_modules(inner)}
