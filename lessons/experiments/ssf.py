"""Lesson 22's measurements: the merge, which factors and shifts moved, which of them do the work, and the paper's start."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.compare.kept import kept_report
from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.prefix_tuning import british_error, one_pair
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from peft import PeftModel, SSFConfig, get_peft_model
from peft.ssf import ScaledShifted
from transformer import train

WEIGHT, BIAS = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([1.0, 0.0])
SCALE, SHIFT = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
X = torch.tensor([1.0, 1.0])
"""The example by hand: y = γ ⊙ (W x + b) + β."""

KINDS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "norm")
Choice = Callable[[str], bool]


def example() -> ScaledShifted:
    """The example's layer."""
    linear = nn.Linear(2, 2)
    layer = ScaledShifted(linear, init="identity")
    with torch.no_grad():
        for parameter, value in (
            (linear.weight, WEIGHT),
            (linear.bias, BIAS),
            (layer.ssf_scale, SCALE),
            (layer.ssf_shift, SHIFT),
        ):
            parameter.copy_(value)
    return layer


def by_formula(d: int, d_ff: int, layers: int, stack_norms: int) -> int:
    """14 d + 2 d_ff for each encoder layer, 24 d + 2 d_ff for each decoder layer, 2 d for a norm after a stack."""
    return layers * (14 * d + 2 * d_ff) + layers * (24 * d + 2 * d_ff) + stack_norms * 2 * d


def scaled_layers(model: Any) -> dict[str, ScaledShifted]:
    return {path: layer for path, layer in model.adapters["default"].layers.items() if isinstance(layer, ScaledShifted)}


def merged_twin() -> tuple[nn.Module, float]:
    """The shipped adapter merged into the base, and how far the logits of both go apart."""
    model, twin = kept_adapter("ssf"), kept_adapter("ssf").merge_and_unload().eval()
    source, target = one_pair("laboratory")
    with torch.no_grad():
        return twin, (model(source, target) - twin(source, target)).abs().max().item()


def numbers_of(model: Any, kind: str, name: str) -> Tensor:
    """All factors ("ssf_scale") or shifts ("ssf_shift") behind one kind of operation."""
    return torch.cat(
        [getattr(layer, name).detach() for path, layer in scaled_layers(model).items() if path.endswith(kind)]
    )


def distances(model: Any) -> dict[str, tuple[float, float]]:
    """Kind of operation → the mean distance of γ from 1 and of β from 0."""
    return {
        kind: (
            (numbers_of(model, kind, "ssf_scale") - 1).abs().mean().item(),
            numbers_of(model, kind, "ssf_shift").abs().mean().item(),
        )
        for kind in KINDS
    }


def shift_gradients() -> dict[str, float]:
    """Largest gradient of β behind the projections of self-attention, for one word."""
    model: Any = get_peft_model(load_base(), SSFConfig())
    source, target = one_pair("laboratory")
    F.cross_entropy(model(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten()).backward()
    found: dict[str, float] = {}
    for path, layer in scaled_layers(model).items():
        kind = path.rpartition(".")[2]
        if "self_attention." in path and layer.ssf_shift.grad is not None:
            found[kind] = max(found.get(kind, 0.0), layer.ssf_shift.grad.abs().max().item())
    return found


@torch.no_grad()
def errors_without(
    model: PeftModel, variants: Mapping[str, tuple[Choice, Choice]], british: Sequence[str]
) -> dict[str, float]:
    """British error in per cent, with γ back at 1 where the first choice says so, and β at 0 where the second does."""
    found = {}
    for name, (scale, shift) in variants.items():
        kept = {
            path: (layer.ssf_scale.clone(), layer.ssf_shift.clone()) for path, layer in scaled_layers(model).items()
        }
        for path, layer in scaled_layers(model).items():
            layer.ssf_scale.fill_(1.0) if scale(path) else None
            layer.ssf_shift.zero_() if shift(path) else None
        found[name] = british_error(model, british)
        for path, layer in scaled_layers(model).items():
            layer.ssf_scale.copy_(kept[path][0])
            layer.ssf_shift.copy_(kept[path][1])
    return found


def from_start(init: str, steps: int, american: Sequence[str], british: Sequence[str]) -> Values:
    """American error in per cent before training, British after `steps`, and the losses."""
    torch.manual_seed(0)
    model = get_peft_model(load_base(), adapter_config("ssf", init=init)).eval()
    before = 100 * evaluate(model, american, "american").phoneme_error
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    losses = train(model, examples, training_config(steps, rate_of("ssf"), seed=0))
    return {"american": before, "british": british_error(model, british), "losses": losses, "end": mean(losses[-5:])}


@kept_claim
def factors_beside_the_rest() -> Values:
    """SSF in the saved comparison: what it reaches, what it trains, and what it costs while training."""
    names = ("ssf", "lora", "full", "bitfit", "ln_tuning", "ia3")
    values: Values = {name: 100 * kept_mean(name, "british", "word_error") for name in names}
    values["before"] = 100 * kept_report()["base"]["british"]["word_error"]
    for name in ("ssf", "lora", "full"):
        values[f"{name}_trained"] = kept_rows(name)[0]["trainable_parameters"]
        values[f"{name}_seconds"] = kept_mean(name, "seconds")
        values[f"{name}_memory"] = kept_mean(name, "peak_memory_bytes") / 1e6
    values["share"] = 100 * values["ssf_trained"] / values["full_trained"]
    claim(
        values["full"] + 2 < values["ssf"] < min(values[name] for name in ("bitfit", "ln_tuning", "ia3")),
        "between",
        **values,
    )
    claim(values["lora_trained"] > 6 * values["ssf_trained"], "LoRA trains more than six times as many", **values)
    claim(0.9 < values["ssf_seconds"] / values["full_seconds"] < 1.1, "as long as full fine-tuning", **values)
    claim(0.95 < values["ssf_memory"] / values["full_memory"] < 1, "hardly less memory than full fine-tuning", **values)
    return values
