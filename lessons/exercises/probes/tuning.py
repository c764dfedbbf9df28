"""Probes of lessons 9 and 32."""

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, refusal
from peft import combine as combinations
from peft.lora import LoraLinear
from transformer.learning import schedule


def cosine_schedule(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    total, warmup = draw.size(20, 60), draw.size(1, 15)
    rates = [schedule.cosine_schedule(step, total, warmup) for step in range(1, total + 5)]
    short = [schedule.cosine_schedule(step, warmup, warmup) for step in range(1, warmup + 3)]
    found = {"the factors": torch.tensor(rates), "those of a run that is all warm-up": torch.tensor(short)}
    for step, rise in ((0, warmup), (1, 0)):
        said = refusal(schedule.cosine_schedule, step, total, rise)
        found[f"the kind of error for step {step} and warm-up {rise}"] = said
    return found


def combine(seed: int) -> dict[str, Tensor]:
    draw, parts = Draw(seed), []
    for weight in (draw.uniform(0.2, 2.0), -draw.uniform(0.2, 2.0)):
        layer = LoraLinear(nn.Linear(6, 5), rank=2, alpha=draw.uniform(1.0, 9.0))
        parts.append((weight, draw.fill(layer)))
    asked = {"cat": None, "linear": None, "svd": 2 * draw.size(0, 1) + 1}
    factors = {kind: combinations.COMBINATIONS[kind](parts, rank) for kind, rank in asked.items()}
    factors["svd without a rank"] = combinations.svd(parts, None)
    found = {f"the update of {kind}": up @ down for kind, (up, down) in factors.items()}
    found |= {f"the rank of {kind}": torch.tensor(len(down)) for kind, (_, down) in factors.items()}
    unequal = [parts[0], (1.0, LoraLinear(nn.Linear(6, 5).double(), rank=3, alpha=1.0).double())]
    return found | {"the kind of error for unequal ranks": refusal(combinations.linear, unequal, None)}
