"""Merging QLoRA: which base, which rounding."""

import torch
from torch import nn

from lessons.clinic.case import Case, Settings
from lessons.clinic.world import World
from peft.qlora import on_int4, on_nf4
from quant import Linear4bit


def rounded(world: World) -> nn.Module:
    """The base of QLoRA: in NF4."""
    return on_nf4(world.base()).eval()


def dequantized(world: World) -> nn.Module:
    """The same numbers in a plain model."""
    model = rounded(world)
    for path, module in list(model.named_modules()):
        if isinstance(module, Linear4bit):
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, module.to_linear())
    return model


def other_weights(world: World) -> tuple[Settings, Settings]:
    given = {"batches": world.batches, "base": rounded(world), "folder": world.folder}
    return {"model": world.merged(), **given}, {"model": world.merged(dequantized(world)), **given}


def again(world: World) -> tuple[Settings, Settings]:
    given = {"batches": world.batches, "base": rounded(world), "folder": world.folder}
    right = world.merged(dequantized(world))
    return {"model": on_nf4(world.merged(dequantized(world))), **given}, {"model": right, **given}


def twice(world: World) -> tuple[Settings, Settings]:
    given = {"batches": world.batches, "base": world.base()}
    once = on_int4(world.base())
    for path, module in list(once.named_modules()):
        if isinstance(module, Linear4bit):
            parent, _, name = path.rpartition(".")
            setattr(once.get_submodule(parent), name, module.to_linear(torch.float32))
    return {"model": on_nf4(once).eval(), **given}, {"model": rounded(world), **given}


CASES = (
    Case(
        "merged-into-other-weights", 2, "The merged model differs from what was measured in training.",
        "The update was learnt beside the weights rounded to 4 bits, and written into the unrounded ones: W - Ŵ comes along.",
        "Merge into the dequantized weights Ŵ; or take W on purpose, where a measurement of both says it is better.",
        ("huggingface/peft#2105", "artidoro/qlora#28"), 16, other_weights,
    ),
    Case(
        "quantized-again", 2, "Merged and put back into 4 bits, the model is the base again.",
        "Steps between 4-bit values are longer than the update: rounding takes it.",
        "Keep the merged model in 16 bits, or the adapter beside the 4-bit base.",
        ("huggingface/peft#2321", "artidoro/qlora#254"), 16, again,
    ),
    Case(
        "quantized-twice", 2, "The 4-bit model is worse than 4 bits should be.",
        "It was made from weights that had been rounded to another grid before.",
        "Quantize the published weights, once.",
        ("huggingface/peft#1043",), 15, twice,
    ),
)  # fmt: skip
