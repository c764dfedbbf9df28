"""Merging QLoRA: which base, which rounding."""

from collections.abc import Callable

import torch
from torch import nn

from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.variant import Made, otherwise
from lessons.clinic.world import World
from peft import LoraConfig
from peft.qlora import on_fp4, on_int4, on_nf4
from quant import Linear4bit, quantize_model

TEXT = small("text", LoraConfig(r=4, lora_alpha=4, target_modules="all-linear"))
PAIRS = small("pairs", LoraConfig(r=2, lora_alpha=2, target_modules=("q_proj", "v_proj")))
Rounding = Callable[[nn.Module], nn.Module]


def plain(model: nn.Module) -> nn.Module:
    """The same numbers in plain layers."""
    for path, module in list(model.named_modules()):
        if isinstance(module, Linear4bit):
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, module.to_linear(torch.float32))
    return model


def other_weights(rounding: Rounding) -> Callable[[World], Made]:
    def make(world: World) -> Made:
        given = {"batches": world.batches, "base": rounding(world.base()).eval(), "folder": world.folder}
        right = world.merged(plain(rounding(world.base())))
        return {"model": world.merged(), **given}, {"model": right, **given}

    return make


def again(rounding: Rounding) -> Callable[[World], Made]:
    def make(world: World) -> Made:
        given = {"batches": world.batches, "base": rounding(world.base()).eval(), "folder": world.folder}
        right = world.merged(plain(rounding(world.base())))
        sick = rounding(world.merged(plain(rounding(world.base())))).eval()
        return {"model": sick, **given}, {"model": right, **given}

    return make


def twice(first: Rounding, second: Rounding) -> Callable[[World], Made]:
    def make(world: World) -> Made:
        given = {"batches": world.batches, "base": world.base()}
        sick, well = second(plain(first(world.base()))).eval(), second(world.base()).eval()
        return {"model": sick, **given}, {"model": well, **given}

    return make


def in_blocks(size: int) -> Rounding:
    return lambda model: quantize_model(model, block_size=size)


VARIANTS = [
    otherwise("merged-into-other-weights", "base, the shipped QLoRA", base("qlora"), other_weights(on_nf4)),
    otherwise("merged-into-other-weights", "base, INT4", base("lora_int4"), other_weights(on_int4)),
    otherwise("merged-into-other-weights", "text, FP4", TEXT, other_weights(on_fp4)),
    otherwise("merged-into-other-weights", "pairs, INT4", PAIRS, other_weights(on_int4)),
    otherwise("quantized-again", "base, INT4", base("lora_int4"), again(on_int4)),
    otherwise("quantized-again", "text, NF4", TEXT, again(on_nf4)),
    otherwise("quantized-again", "pairs, FP4", PAIRS, again(on_fp4)),
    otherwise("quantized-twice", "base, FP4 and then NF4", base("lora"), twice(on_fp4, on_nf4)),
    otherwise("quantized-twice", "text, NF4 and then INT4", TEXT, twice(on_nf4, on_int4)),
    otherwise("quantized-twice", "pairs, NF4 in other blocks", PAIRS, twice(in_blocks(32), in_blocks(64))),
]
