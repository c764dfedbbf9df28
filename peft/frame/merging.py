"""Leaving: the base with its adapters written into it, or the base as it was."""

from torch import nn

from peft.frame.core import Core
from peft.frame.layers import Slot
from peft.frame.paths import base_modules


def merge_and_unload(core: Core) -> nn.Module:
    """Every active layer's `merged()` takes the place of its slot. Nothing is changed if one of them cannot be merged."""
    active = [core.adapters[name] for name in core.active]
    merged: dict[str, nn.Module] = {}
    for adapter in active:
        for path, layer in adapter.layers.items():
            original = layer.base
            layer.base = merged.get(path, original)
            try:
                merged[path] = layer.merged()
            finally:
                layer.base = original
    model = core.base_model
    for adapter in active:
        adapter.merge_token_rows(model)
    remove_slots(model, merged)
    untie_if_needed(model)
    restore_gradients(core)
    return model


def unload(core: Core) -> nn.Module:
    """The untouched base: its own modules, each where it was, with its own tensors."""
    core.activate(())
    remove_slots(core.base_model, {})
    restore_gradients(core)
    return core.base_model


def remove_slots(model: nn.Module, merged: dict[str, nn.Module]) -> None:
    """Each slot gives way to its base, or to what was merged for its path."""
    modules = dict(base_modules(model))
    for path in reversed(list(modules)):  # what is inside comes before what is around it
        parent_path, _, name = path.rpartition(".")
        if path and isinstance(getattr(modules[parent_path], name), Slot):
            setattr(modules[parent_path], name, merged.get(path, modules[path]))


def restore_gradients(core: Core) -> None:
    """Each base parameter requires gradients again if it did before the adapters came."""
    for name, parameter in core.base_model.named_parameters():
        parameter.requires_grad_(name in core.trained_before)


def untie_if_needed(model: nn.Module) -> None:
    """A matrix that was merged in one of its tied modules only is tied no more, and the config must say so."""
    config = getattr(model, "config", None)
    if getattr(config, "tie_embeddings", False) and model.output.weight is not model.target_embedding.weight:
        model.untie_weights()
