"""The base in four bits, by a student's code: what it says, what it weighs, and an adapter on it."""

import torch
from torch import nn

from lessons.exercises.milestones.learning import course, trained
from lessons.exercises.milestones.speaking import AMERICAN, BRITISH, WORD, beside, clear_base, measured
from lessons.task.scoring import predict
from quant import Linear4bit, decode, encode, normal_float_codebook, quantize_model
from quant.blockwise import in_blocks

BLOCK, STEPS = 64, 16


def in_four_bits() -> nn.Module:
    model = quantize_model(clear_base(), double_quant=True)
    for module in layers(model):
        module.compute_dtype = torch.float32
    return model


def layers(model: nn.Module) -> list[Linear4bit]:
    return [module for module in model.modules() if isinstance(module, Linear4bit)]


def weights(model: nn.Module) -> str:
    small = sum(module.quantized.nbytes for module in layers(model))
    whole = sum(4 * module.in_features * module.out_features for module in layers(model))
    return f"{small / 1e3:,.0f} kB of weights in place of {whole / 1e3:,.0f}"


def written_out() -> nn.Module:
    """The base with what four bits keep of every weight, by the formula's own lines: the layers in 4 bits take faster ones."""
    model, codebook = clear_base(), normal_float_codebook()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear) and module is not model.output:
                blocks = in_blocks(module.weight.flatten(), BLOCK)
                kept = decode(*encode(blocks, codebook), codebook)
                module.weight.copy_(kept.flatten()[: module.weight.numel()].view_as(module.weight))
    return model


def formula() -> list[str]:
    said = predict(written_out(), [WORD])[WORD]
    return [f"the base with what 4 bits keep of every weight: {beside(WORD, said, AMERICAN)}"]


def tomato() -> list[str]:
    model = in_four_bits()
    return [f"the base in 4 bits, {weights(model)}: {beside(WORD, predict(model, [WORD])[WORD], AMERICAN)}"]


def carried(count: int) -> list[str]:
    whole, small = clear_base(), in_four_bits()
    adapted, losses = trained(STEPS, "qlora")
    american = [f"{measured(model, AMERICAN, count):.1f} %" for model in (whole, written_out(), small)]
    return [
        f"{weights(small)}; American sounds wrong: {american[0]} in 32 bits, "
        f"{american[1]} in 4 by the formula, {american[2]} packed",
        f"{STEPS} steps of QLoRA on British words, on your 4 bits: the loss goes {course(losses)}",
        beside(WORD, predict(adapted, [WORD])[WORD], BRITISH),
        f"British sounds wrong on {count} words that it never saw: {measured(whole, BRITISH, count):.1f} % before, "
        f"{measured(adapted, BRITISH, count):.1f} % after.",
    ]
