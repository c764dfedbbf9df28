"""Lesson 23, what would go without a part: one part of a trained PILL is changed at a time. And what is said of the kept runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from lessons.compare.kept import kept_report
from lessons.experiments.pill import parts_of, put_back
from lessons.experiments.prefix_tuning import british_error
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from peft.pill_layers import AdaptedSelfAttention, GatedValues, RoutedFeedForward


def silence(model: Any, number: int) -> None:
    """The expert of this type adds nothing any more."""
    for layer in parts_of(model, RoutedFeedForward).values():
        layer.experts[number].up.weight.zero_()


def swap(model: Any) -> None:
    """The experts change places."""
    for layer in parts_of(model, RoutedFeedForward).values():
        known, new = ({name: value.clone() for name, value in expert.state_dict().items()} for expert in layer.experts)
        layer.experts[0].load_state_dict(new)
        layer.experts[1].load_state_dict(known)


def silence_attention(model: Any) -> None:
    for layer in parts_of(model, AdaptedSelfAttention).values():
        layer.adapter.up.weight.zero_()


def open_gates(model: Any) -> None:
    """Every value passes as the base made it."""
    for path in parts_of(model, GatedValues):
        model.slot(path).active = ()


CHANGES: Mapping[str, Callable[[Any], None]] = {
    "as trained": lambda model: None,
    "gates wide open": open_gates,
    "attention adapters silent": silence_attention,
    "vowels' experts silent": lambda model: silence(model, 1),
    "consonants' experts silent": lambda model: silence(model, 0),
    "experts change places": swap,
}


@torch.no_grad()
def errors_changed(model: Any, british: Sequence[str]) -> dict[str, float]:
    """What is changed in the adapter → British phoneme error in per cent."""
    found = {}
    for name, change in CHANGES.items():
        with put_back(model):
            change(model)
            found[name] = british_error(model, british)
    return found


@kept_claim
def experts_beside_adapters() -> Values:
    """PILL beside plain adapters of about as many numbers, in the saved comparison."""
    names = ("pill", "adapter_houlsby", "adapter_parallel", "lora", "full")
    values: Values = {name: 100 * kept_mean(name, "british", "phoneme_error") for name in names}
    values["before"] = 100 * kept_report()["base"]["british"]["phoneme_error"]
    for name in names:
        values[f"{name}_trained"] = kept_rows(name)[0]["trainable_parameters"]
        values[f"{name}_seconds"] = kept_mean(name, "seconds")
    claim(0.8 < values["pill_trained"] / values["adapter_parallel_trained"] < 1.25, "about as many numbers", **values)
    claim(values["adapter_parallel"] + 1 < values["pill"] < values["before"] - 8, "behind plain adapters", **values)
    claim(values["pill_seconds"] > 1.1 * values["adapter_parallel_seconds"], "and slower", **values)
    return values
