"""Leaving: the base with its adapters written into it, or the base as it was."""

import torch
from torch import Tensor, nn

from peft.frame.core import Core
from peft.frame.layers import Slot
from peft.frame.paths import base_modules
from peft.frame.tokens import TokenRows


def merge_and_unload(core: Core) -> nn.Module:
    """Every active layer's `merged()` takes the place of its slot. Nothing is changed if one of them cannot be merged."""
    model, active = core.base_model, [core.adapters[name] for name in core.active]
    modules = dict(base_modules(model))
    merged: dict[str, nn.Module] = {}
    for adapter in active:
        before = {path: merged.get(path, modules[path]) for path in adapter.rows_by_path}
        for path, layer in adapter.layers.items():
            original = layer.base
            layer.base = merged.get(path, original)
            try:
                merged[path] = layer.merged()
            finally:
                layer.base = original
        for path, rows in adapter.rows_by_path.items():
            if path in merged:
                write_rows(merged[path].weight, rows, rows.change(modules[path].weight), before[path].weight)
    changes = [
        (modules[paths[0]].weight, rows, rows.change(modules[paths[0]].weight))
        for adapter in active
        for paths, rows in zip(adapter.row_paths, adapter.rows)
    ]
    for weight, rows, change in changes:
        write_rows(weight, rows, change, weight)
    remove_slots(model, merged)
    untie_if_needed(model)
    give_back(core)
    return model


def write_rows(weight: Tensor, rows: TokenRows, change: Tensor, before: Tensor) -> None:
    """The trained tokens' rows of a matrix become what they were before this adapter, and the adapter's change.

    An explicit merge is the one thing that writes to a base tensor.
    """
    with torch.no_grad():
        weight[rows.tokens] = (before[rows.tokens].to(change.dtype) + change).to(weight.dtype)


def unload(core: Core) -> nn.Module:
    """The untouched base: its own modules, each where it was, with its own tensors."""
    core.activate(())
    remove_slots(core.base_model, {})
    give_back(core)
    return core.base_model


def remove_slots(model: nn.Module, merged: dict[str, nn.Module]) -> None:
    """Each slot gives way to its base, or to what was merged for its path."""
    modules = dict(base_modules(model))
    for path in reversed(list(modules)):  # what is inside comes before what is around it
        parent_path, _, name = path.rpartition(".")
        if path and isinstance(getattr(modules[parent_path], name), Slot):
            setattr(modules[parent_path], name, merged.get(path, modules[path]))


def give_back(core: Core) -> None:
    """Each base parameter requires gradients again if it did before the adapters came; a new bias does as its weight.

    The core has nothing to do with the base from here on.
    """
    trained = core.trained_before
    for name, parameter in core.base_model.named_parameters(remove_duplicate=False):
        beside = f"{name.rpartition('.')[0]}.weight"
        parameter.requires_grad_(trained.get(name, trained.get(beside, False)))
    core.forget()


def untie_if_needed(model: nn.Module) -> None:
    """A matrix that was merged in one of its tied modules only is tied no more, and the config must say so."""
    if not getattr(getattr(model, "config", None), "tie_embeddings", False) or not hasattr(model, "token_matrices"):
        return
    if len({id(module.weight) for module in model.token_matrices()}) > 1:
        model.untie_weights()
