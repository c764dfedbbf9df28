"""PeftModel: a frozen base with adapters on it, one of which (or several, or none) is active."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from peft import combine
from peft.frame import counting, explain, merging, mixed, saving
from peft.frame.config import PeftConfig
from peft.frame.core import Core, require_bare
from transformer import generate


def get_peft_model(model: nn.Module, config: PeftConfig, adapter_name: str = "default") -> "PeftModel":
    """Freezes `model`, puts one adapter on it, in place, and returns it wrapped; `unload()` gives it back untouched."""
    return PeftModel(model, config, adapter_name)


class PeftModel(Core):
    """Runs like its base. What it does not know itself, it asks the base.

    The core adds, switches, disables and deletes adapters; what is done with them stands in a file of its own each.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_model":
                raise
            return getattr(self.base_model, name)

    def forward(self, source: Tensor, *rest: Any, adapter_names: Sequence[str] | None = None, **named: Any) -> Any:
        """The base's forward pass. `adapter_names` gives each row its own adapter ("__base__" for none)."""
        if adapter_names is not None:
            return mixed.forward(self, adapter_names, source, *rest, **named)
        self.context.reads(source, *rest, **named)
        return self.base_model(source, *rest, **named)

    def encode(self, source: Tensor, *rest: Any, **named: Any) -> Any:
        """The base's memory and its mask."""
        self.context.source = source
        return self.base_model.encode(source, *rest, **named)

    def decode(self, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        """The base's logits for a target, given the memory."""
        self.context.target = target
        return self.base_model.decode(target, *rest, **named)

    def states(self, source: Tensor, *rest: Any, **named: Any) -> Tensor:
        """The base's last vectors, which its output reads."""
        self.context.reads(source, *rest, **named)
        return self.base_model.states(source, *rest, **named)

    def read(self, target: Tensor, *rest: Any, **named: Any) -> Tensor:
        """The base's last vectors of a target, given the memory."""
        self.context.target = target
        return self.base_model.read(target, *rest, **named)

    def decoding(self, *settings: Any, **named: Any) -> Any:
        """The base's way of decoding, by way of `encode` and `decode` here, which say what is read."""
        return type(self.base_model).decoding(self, *settings, **named)

    def generate(
        self, source: Tensor, max_new_tokens: int, adapter_names: Sequence[str] | None = None, **settings: Any
    ) -> Tensor:
        """As `transformer.generate`; `adapter_names` gives each row its own adapter."""
        if adapter_names is not None:
            return mixed.generate(self, adapter_names, source, max_new_tokens, **settings)
        return generate(self, source, max_new_tokens, **settings)

    def get_base_model(self) -> nn.Module:
        """The base, with the adapters' slots in it."""
        return self.base_model

    def merge_and_unload(self) -> nn.Module:
        """The base with the active adapters written into its weights. Raises ValueError where that cannot be done."""
        return merging.merge_and_unload(self)

    def unload(self) -> nn.Module:
        """The base as it was before, without adapters."""
        return merging.unload(self)

    def get_nb_trainable_parameters(self) -> tuple[int, int]:
        """(trainable, all)"""
        return counting.count_parameters(self)

    def print_trainable_parameters(self) -> None:
        """Both counts and their ratio, in one line."""
        print(counting.trainable_line(self))

    def explain(self) -> list[dict[str, Any]]:
        """Every site where an adapter sits: prints a table and returns its rows."""
        return explain.explain(self)

    def add_weighted_adapter(
        self,
        adapters: Sequence[str],
        weights: Sequence[float],
        adapter_name: str,
        combination_type: str = "svd",
        svd_rank: int | None = None,
    ) -> None:
        """Adds a weighted combination of LoRA adapters as a new one: "svd", "cat" or "linear" (combine.py)."""
        combine.add_weighted_adapter(self, adapters, weights, adapter_name, combination_type, svd_rank)

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes every adapter: "default" into `folder`, others into a folder of their own inside it."""
        saving.save_pretrained(self, folder)

    @classmethod
    def from_pretrained(
        cls,
        model: nn.Module,
        folder: str | Path,
        adapter_name: str = "default",
        is_trainable: bool = False,
        check_base: bool = True,
    ) -> "PeftModel":
        """A saved adapter on a base, in evaluation mode and frozen unless `is_trainable`."""
        require_bare(model)
        config, tensors = saving.load(folder, model if check_base else None)
        peft_model = cls(model, config, adapter_name)
        saving.fill(peft_model, adapter_name, tensors, folder)
        peft_model.adapters[adapter_name].set_trainable(is_trainable)
        return peft_model if is_trainable else peft_model.eval()

    def load_adapter(self, folder: str | Path, adapter_name: str, check_base: bool = True) -> None:
        """Adds a saved adapter; it is not active until `set_adapter`."""
        with self.disable_adapter():
            config, tensors = saving.load(folder, self.base_model if check_base else None)
        self.add_adapter(adapter_name, config)
        saving.fill(self, adapter_name, tensors, folder)
