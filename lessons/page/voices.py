"""The models that the page holds, as it holds them: every number in 16 bits.

A number of 16 bits (fp16: 1 sign, 5 of exponent, 10 of mantissa) keeps three decimals. What that does to the words is
measured (`measure.py`); the page itself is held to these models, not to the exact ones.
"""

from pathlib import Path

import torch
from torch import nn

from lessons.task.base import load_base
from lessons.task.finetuning import prepared_base
from lessons.task.shipped import by_accent
from peft import RECIPES, PeftModel
from peft.frame.saving import load
from quant import Linear4bit
from transformer import Transformer

ACCENT = "british"


def page_folders(adapters: Path | None = None) -> dict[str, Path]:
    """Technique → its British adapter: those that ship, or those in `adapters`. Raises ValueError where there is none."""
    if adapters is None:
        found = by_accent().get(ACCENT, {})
    else:
        found = {folder.name: folder for folder in adapters.iterdir() if (folder / "adapter_config.json").is_file()}
    chosen = {name: found[name] for name in RECIPES if name in found}
    if not chosen:
        raise ValueError(f"there is no adapter for the page in {adapters or 'lessons/adapters'}")
    return chosen


@torch.no_grad()
def in_16_bits(tensors: list[torch.Tensor]) -> None:
    """Rounds every number to the nearest fp16."""
    for tensor in tensors:
        tensor.copy_(tensor.half().float())


def page_base() -> Transformer:
    """The base with its numbers in 16 bits."""
    base = load_base()
    in_16_bits(list(base.parameters()))
    return base


def page_voice(method: str, folder: Path) -> PeftModel:
    """The rounded base with the rounded adapter; what is in 4 bits computes in fp32.

    Raises ValueError for an adapter of another base.
    """
    load(folder, prepared_base(method, load_base()))  # which asks whether the adapter belongs to this base
    model = PeftModel.from_pretrained(in_fp32(prepared_base(method, page_base())), folder, check_base=False)
    adapter = model.adapters["default"]
    shared = [] if adapter.shared is None else list(adapter.shared.buffers())
    in_16_bits([*adapter.own_parameters().values(), *shared])
    return model


def exact_voice(method: str, folder: Path) -> PeftModel:
    """The same without rounding: what the course measures everywhere else."""
    return PeftModel.from_pretrained(in_fp32(prepared_base(method, load_base())), folder)


def in_fp32(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.compute_dtype = torch.float32
    return model
