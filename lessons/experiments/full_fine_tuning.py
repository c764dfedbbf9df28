"""Lesson 11's measurements: one weight by hand, learning and forgetting step by step, rates, what moved, what it costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lessons.memory.plan import Setting, plan
from lessons.task.dictionary import fine_tuning_words, load, pairs
from lessons.task.finetuning import adapted, fine_tune, rate_of, training_config
from lessons.task.scoring import evaluate, predict
from lessons.teaching import Values, about, claim, kept_claim, kept_mean
from peft import PeftModel, recipe
from peft.frame.owned import OwnedParameters
from transformer import train

WEIGHT, OLD, NEW, RATE = 2.0, 2.0, 5.0, 0.1
TRAINED_BYTES, FROZEN_BYTES = 16, 4
"""In fp32: the number itself; and, where it learns, its gradient and Adam's two moments."""
PLACES = {
    "embedding": ("embedding", ""),
    "encoder attention": ("encoder", "self_attention."),
    "encoder feed forward": ("encoder", "feed_forward."),
    "decoder self-attention": ("decoder", "self_attention."),
    "cross-attention": ("cross_attention.", ""),
    "decoder feed forward": ("decoder", "feed_forward."),
}
Errors = dict[str, float]


class OneWeight(nn.Module):
    """y = w x."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.layer.weight, WEIGHT)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)

    def loss(self, wanted: float) -> Tensor:
        """½ (w - y)² on x = 1."""
        return 0.5 * (self(torch.ones(1)) - wanted).square().sum()


@dataclass(frozen=True)
class OneStep:
    """The weight and its losses after one step on the new task, and the weight once it is switched off."""

    weight: float
    new: float
    old: float
    off: float


def one_step(optimizer: Callable[..., torch.optim.Optimizer]) -> OneStep:
    """The example by hand: a copy of the weight takes one step."""
    model = OneWeight()
    owned = OwnedParameters(model, ["layer.weight"])
    owned.enable()
    model.loss(NEW).backward()
    optimizer(owned.copies.parameters(), lr=RATE).step()
    weight, new, old = model.layer.weight.item(), model.loss(NEW).item(), model.loss(OLD).item()
    owned.disable()
    return OneStep(weight, new, old, model.layer.weight.item())


def phoneme_errors(model: nn.Module, heard: Mapping[str, Sequence[str]]) -> Errors:
    """Accent → phoneme error in per cent."""
    return {accent: 100 * evaluate(model, words, accent).phoneme_error for accent, words in heard.items()}


def learn_and_look(
    steps: int, stops: Sequence[int], heard: Mapping[str, Sequence[str]]
) -> tuple[PeftModel, list[float], dict[int, Errors]]:
    """Full fine-tuning on British; at the stops both accents are tested. Model, losses, step → errors."""
    model = adapted("full")
    over_time = {0: phoneme_errors(model, heard)}

    def look(step: int, loss: float) -> None:
        if step in stops:
            over_time[step] = phoneme_errors(model, heard)

    config = training_config(steps, rate_of("full"), seed=0)
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    groups = recipe("full").groups(model, config.learning_rate, config.weight_decay)
    return model, train(model, examples, config, groups, on_step=look), over_time


def half_lost(over_time: Mapping[int, Errors]) -> int:
    """The first stop at which half of the final loss in American has happened."""
    american = {step: errors["american"] for step, errors in over_time.items()}
    first, last = american[0], american[max(american)]
    return next(step for step, error in american.items() if error >= (first + last) / 2)


def british_among_the_wrong(model: nn.Module, words: Sequence[str]) -> tuple[int, int, int]:
    """American words said wrong, those of them that the British dictionary has, and those that are right there."""
    said, american, british = predict(model, words), load("american"), load("british")
    wrong = [word for word in words if said[word] not in american[word]]
    both = [word for word in wrong if word in british]
    return len(wrong), len(both), sum(said[word] in british[word] for word in both)


def errors_by_rate(rates: Sequence[float], steps: int, heard: Mapping[str, Sequence[str]]) -> dict[float, Errors]:
    return {rate: phoneme_errors(fine_tune("full", steps=steps, learning_rate=rate)[0], heard) for rate in rates}


def moved(before: nn.Module, after: nn.Module) -> dict[str, float]:
    """Place → ‖W - W₀‖ / ‖W₀‖ in per cent, the mean over its matrices."""
    old, found = dict(before.named_parameters()), {}
    for place, (first, rest) in PLACES.items():
        changes = [
            float(100 * (tensor - old[name]).detach().norm() / old[name].detach().norm())
            for name, tensor in after.named_parameters()
            if tensor.dim() == 2 and first in name and rest in name
        ]
        found[place] = sum(changes) / len(changes)
    return found


def gigabytes(models: Sequence[str]) -> dict[str, dict[str, tuple[float, float]]]:
    """Model → technique → (all, activations of it), counted as `python -m lessons memory` does."""
    return {
        model: {
            method: (made.total / 1e9, made.bytes["activations"] / 1e9)
            for method in ("full", "lora")
            for made in [plan(Setting(model, method))]
        }
        for model in models
    }


@kept_claim
def full_beside_lora() -> Values:
    """The two in the saved run: errors, seconds, memory, disk."""
    values: Values = {}
    for method in ("full", "lora"):
        values |= {
            method: 100 * kept_mean(method, "british", "phoneme_error"),
            f"{method}_seconds": kept_mean(method, "seconds"),
            f"{method}_peak": kept_mean(method, "peak_memory_bytes") / 1e6,
            f"{method}_disk": kept_mean(method, "adapter_bytes") / 1e6,
        }
    trained = {method: kept_mean(method, "trainable_parameters") for method in ("full", "lora")}
    values |= {
        "before": kept_mean("full", "memory_before_bytes") / 1e6,
        "tenth": 100 * trained["lora"] / trained["full"],
        "apart": abs(values["full"] - values["lora"]),
        "saved": (TRAINED_BYTES - FROZEN_BYTES) * (trained["full"] - trained["lora"]) / 1e6,
    }
    claim(values["apart"] < 1, "LoRA and full fine-tuning are less than a point apart", **values)
    claim(values["full_seconds"] < 1.5 * values["lora_seconds"], "full is not the slow one", **values)
    claim(about(values["tenth"], 10), "LoRA trains a tenth of the numbers", **values)
    claim(values["before"] > values["full_peak"] / 3, "much of the peak is there before training", **values)
    claim(values["full_peak"] < 1.05 * values["lora_peak"], "here full needs no more memory", **values)
    claim(values["full_disk"] > 5 * values["lora_disk"], "full is large on disk", **values)
    return values
