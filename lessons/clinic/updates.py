"""The weight matrices of a model by path, and what a saved adapter adds to them."""

import copy
import warnings
from pathlib import Path

from torch import Tensor, nn

from peft import PeftModel
from peft.frame.core import Core
from peft.frame.paths import base_modules
from peft.frame.saving import load
from peft.frame.targets import is_linear
from peft.frame.weights import weight_of
from peft.low_rank import scaling_of


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Path → matrix of each linear layer, in full precision, as if no adapter were there."""
    inner = model.base_model if isinstance(model, Core) else model
    return {path: weight_of(module).detach() for path, module in base_modules(inner) if is_linear(module)}


def updates(base: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Path → ΔW of each layer that the adapter changes; none for techniques that change no weights."""
    with warnings.catch_warnings(action="ignore"):
        model = PeftModel.from_pretrained(copy.deepcopy(base), folder, check_base=False)
    return updates_of(model, weights(base))


def updates_of(model: PeftModel, before: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same of an adapter that is in place; `before` are the base's matrices."""
    with warnings.catch_warnings(action="ignore"):
        layers = next(iter(model.adapters.values())).layers
        changed = {path: layer.merged() for path, layer in layers.items() if layer.merges}
    return {
        path: weight_of(module).detach() - before[path]
        for path, module in changed.items()
        if path in before and module.weight.shape == before[path].shape
    }


def scale_of(folder: Path) -> float:
    """α/r or α/√r of a saved LoRA; 1 for a technique that has no such scale."""
    config = load(folder, None)[0]
    if not hasattr(config, "lora_alpha"):
        return 1.0
    return scaling_of(config.r, config.lora_alpha, config.use_rslora)
