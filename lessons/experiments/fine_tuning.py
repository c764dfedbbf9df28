"""Lesson 1's measurements: the model with one number, a base beside nothing, how far the numbers moved."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from lessons.task.base import model_card
from lessons.task.finetuning import learning_rates
from lessons.task.scoring import Score, evaluate
from lessons.task.techniques import SCRATCH
from lessons.teaching import Values, claim, highest, kept_claim, kept_mean, kept_rows, lowest

GOAL, RATE, STEPS = 3.0, 0.25, 3
FROM_BASE, FROM_NOTHING = 2.0, 0.0
ADAM_BYTES = 12
"""Gradient and Adam's two moments, four bytes each, for every number that learns."""


def learn_one_number(start: float) -> list[float]:
    """The example by hand: w after each step of gradient descent on (w - 3)², the start included."""
    path = [start]
    for _ in range(STEPS):
        w = torch.tensor(path[-1], requires_grad=True)
        (slope,) = torch.autograd.grad((w - GOAL) ** 2, w)
        path.append((w - RATE * slope).item())
    return path


def errors_in_both_accents(
    models: Mapping[str, nn.Module], american: Sequence[str], british: Sequence[str]
) -> dict[str, tuple[Score, Score]]:
    """Name of a model → its scores on American and on British words."""
    return {
        name: (evaluate(model, american, "american"), evaluate(model, british, "british"))
        for name, model in models.items()
    }


def moved(before: nn.Module, after: nn.Module) -> dict[str, float]:
    """Matrix → ‖W after - W before‖ / ‖W before‖ in per cent."""
    new = after.state_dict()
    matrices = {name: old.detach() for name, old in before.named_parameters() if old.dim() == 2}
    return {name: float(100 * (new[name] - old).norm() / old.norm()) for name, old in matrices.items()}


@kept_claim
def what_little_compute_means() -> Values:
    """LoRA beside full fine-tuning in the saved run: what is small, and what is not."""
    full, lora = kept_rows("full")[0], kept_rows("lora")[0]
    frozen = full["trainable_parameters"] - lora["trainable_parameters"]
    values = {
        "share": 100 * lora["trainable_parameters"] / full["trainable_parameters"],
        "lora_seconds": kept_mean("lora", "seconds"),
        "full_seconds": kept_mean("full", "seconds"),
        "lora_peak": kept_mean("lora", "peak_memory_bytes") / 1e6,
        "full_peak": kept_mean("full", "peak_memory_bytes") / 1e6,
        "saved": ADAM_BYTES * frozen / 1e6,
        "saved_of_seven_billion": ADAM_BYTES * 7,
    }
    claim(values["share"] < 20, "LoRA trains few numbers", **values)
    claim(values["lora_seconds"] > 0.7 * values["full_seconds"], "LoRA is not much faster", **values)
    claim(values["lora_peak"] > 0.9 * values["full_peak"], "here LoRA needs no less memory", **values)
    return values


@kept_claim
def rates_beside_full() -> Values:
    """The searched rate of each technique beside full fine-tuning's and the peak of pretraining."""
    rates = {name: rate for name, rate in learning_rates().items() if name != SCRATCH}
    full = rates.pop("full")
    values: Values = {
        "pretraining": model_card()["training"]["learning_rate"],
        "full": full,
        "others": len(rates),
        "higher": sum(rate > full for rate in rates.values()),
    }
    for which, name in (("highest", highest(rates)), ("lowest", lowest(rates))):
        values |= {which: rates[name], f"{which}_name": name}
    claim(full < values["pretraining"], "fine-tuning wants a lower rate than pretraining", **values)
    claim(values["higher"] > values["others"] / 2 and values["lowest"] < full, "most higher, not all", **values)
    return values


def two_stages() -> Values:
    """Numbers of the two stages: the base's from its model card."""
    card = model_card()
    return {"steps": card["training"]["steps"], "data": card["data"], "parameters": card["parameters"]}
