"""The base in four bits, by a student's code: what it says, what it weighs, and an adapter on it."""

import torch
from torch import nn

from lessons.exercises.milestones.learning import course, trained
from lessons.exercises.milestones.speaking import AMERICAN, BRITISH, WORD, beside, clear_base, measured
from lessons.task.scoring import predict
from quant import Linear4bit, quantize_model

STEPS = 40


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


def tomato() -> list[str]:
    model = in_four_bits()
    return [f"the base in 4 bits, {weights(model)}: {beside(WORD, predict(model, [WORD])[WORD], AMERICAN)}"]


def carried(count: int) -> list[str]:
    whole, small = clear_base(), in_four_bits()
    adapted, losses = trained(STEPS, "qlora")
    american = [f"{measured(model, AMERICAN, count):.1f} %" for model in (whole, small)]
    return [
        f"{weights(small)}; American sounds wrong: {american[0]} in 32 bits, {american[1]} in 4",
        f"{STEPS} steps of QLoRA on British words, on your 4 bits: the loss goes {course(losses)}",
        beside(WORD, predict(adapted, [WORD])[WORD], BRITISH),
        f"British sounds wrong on {count} words that it never saw: {measured(whole, BRITISH, count):.1f} % before, "
        f"{measured(adapted, BRITISH, count):.1f} % after.",
    ]
