"""Leaving: the base with its adapters written into it, or the base as it was."""

from typing import TYPE_CHECKING

from torch import nn

from peft.frame.config import base_modules
from peft.frame.layers import Site

if TYPE_CHECKING:
    from peft.model import PeftModel


def merge_and_unload(peft_model: "PeftModel") -> nn.Module:
    """Every active layer's `merged()` takes the place of its site. Nothing is changed if one of them cannot be merged."""
    active = [peft_model.adapters[name] for name in peft_model.active]
    merged: dict[str, nn.Module] = {}
    for adapter in active:
        for path, wrapper in adapter.wrappers.items():
            original = wrapper.base
            wrapper.base = merged.get(path, original)
            try:
                merged[path] = wrapper.merged()
            finally:
                wrapper.base = original
    model = peft_model.base_model
    for adapter in active:
        adapter.merge_token_rows(model)
    remove_sites(model, merged)
    untie_if_needed(model)
    restore_gradients(peft_model)
    return model


def unload(peft_model: "PeftModel") -> nn.Module:
    """The untouched base: its own modules and its own tensors, in their old places."""
    peft_model.activate(())
    remove_sites(peft_model.base_model, {})
    restore_gradients(peft_model)
    return peft_model.base_model


def remove_sites(model: nn.Module, merged: dict[str, nn.Module]) -> None:
    modules = dict(base_modules(model))
    for path in reversed(list(modules)):  # what is inside comes before what is around it
        parent_path, _, name = path.rpartition(".")
        if path and isinstance(getattr(modules[parent_path], name), Site):
            setattr(modules[parent_path], name, merged.get(path, modules[path]))


def restore_gradients(peft_model: "PeftModel") -> None:
    """Each base parameter requires gradients again if it did before the adapters came."""
    for name, parameter in peft_model.base_model.named_parameters():
        parameter.requires_grad_(name in peft_model.trained_before)


def untie_if_needed(model: nn.Module) -> None:
    """A matrix that was merged at one of its tied places only is tied no more, and the config must say so."""
    config = getattr(model, "config", None)
    if getattr(config, "tie_embeddings", False) and model.output.weight is not model.target_embedding.weight:
        model.untie_weights()
