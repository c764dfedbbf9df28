"""Lesson 12's measurements: what a bias and a gain can change, which of them moved, what few trained numbers give and cost."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lessons.task.base import load_base
from lessons.task.dictionary import pairs, vocabulary, words
from lessons.task.finetuning import kept_rates
from lessons.task.shipped import shipped
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_report, lowest
from peft import PeftModel
from transformer import Transformer, collate, label_smoothed_cross_entropy

OUTPUTS = torch.tensor([[0.0, 2.0], [2.0, 2.0]])
"""W x of two inputs, one a row."""
NORMED = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
"""What a LayerNorm makes of two inputs before its gain and bias."""
BIAS, GAIN, NORM_BIAS = torch.tensor([1.0, -1.0]), torch.tensor([2.0, 1.0]), torch.tensor([0.0, 1.0])
SCORES, ADDED = torch.tensor([1.0, 3.0]), 5.0

KINDS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "norm")
SUBLAYERS = {
    "encoder self": ("encoder.layers.", "self_attention."),
    "encoder ff": ("encoder.layers.", "feed_forward."),
    "decoder self": ("decoder.layers.", "self_attention."),
    "decoder cross": ("decoder.layers.", "cross_attention."),
    "decoder ff": ("decoder.layers.", "feed_forward."),
}
TECHNIQUES = ("full", "bitfit", "ln_tuning", "ia3", "ssf", "lora")
GRID_OF_THREE = ("0.001", "0.003", "0.01")
"""The rates that a first search tried for both; all of them were too low."""


def counted(d: int, d_ff: int, layers: int) -> dict[str, int]:
    """How many numbers each technique trains, by the formulas of the text."""
    return {
        "bitfit": layers * (7 * d + d_ff) + layers * (12 * d + d_ff) + 2 * d,
        "ln_tuning": 2 * d * (2 * layers + 3 * layers) + 2 * 2 * d,
    }


def kind_of(name: str) -> str:
    return next(kind for kind in KINDS if kind in name)


def bias_gradients(model: Transformer, count: int) -> dict[str, float]:
    """Kind of bias → the mean size of its gradient on `count` British words."""
    tokens = vocabulary()
    batch = collate(pairs("british", words("british", "train", count)), tokens.pad_id, tokens.bos_id)
    label_smoothed_cross_entropy(model(batch.source, batch.inputs), batch.labels, pad_id=tokens.pad_id).backward()
    sizes: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for name, parameter in model.named_parameters():
        if name.endswith(".bias") and parameter.grad is not None:
            sizes[kind_of(name)].append(float(parameter.grad.abs().mean()))
    model.zero_grad(set_to_none=True)
    return {kind: sum(values) / len(values) for kind, values in sizes.items()}


def changes(method: str) -> dict[str, Tensor]:
    """Parameter → how the shipped British adapter of this technique changed it."""
    model = PeftModel.from_pretrained(load_base(), shipped(method)["british"])
    before = dict(load_base().named_parameters())
    own = model.adapters["default"].owned.own_parameters()
    return {name: copy.detach() - before[name].detach() for name, copy in own.items()}


def size(change: Tensor) -> float:
    """Root mean square."""
    return float(change.square().mean().sqrt())


def bias_changes(moved: dict[str, Tensor]) -> dict[tuple[str, int, str], float]:
    """(kind, layer, sub-layer) → how far the biases of the linear layers there moved."""
    return {
        (kind_of(name), int(name.split(".")[2]), column): size(change)
        for name, change in moved.items()
        for column, (start, part) in SUBLAYERS.items()
        if name.startswith(start) and f".{part}" in name and kind_of(name) != "norm"
    }


def mean_of_kind(moved: dict[str, Tensor], kind: str) -> float:
    sizes = [size(change) for name, change in moved.items() if kind in name]
    return sum(sizes) / len(sizes)


def gains(moved: dict[str, Tensor], model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Norm → its gains before and after."""
    before = dict(model.named_parameters())
    return {
        name.removesuffix(".weight"): (before[name].detach(), before[name].detach() + change)
        for name, change in moved.items()
        if name.endswith("norm.weight")
    }


def relative_change(pair: tuple[Tensor, Tensor]) -> float:
    """‖after - before‖ / ‖before‖ in per cent."""
    before, after = pair
    return float(100 * (after - before).norm() / before.norm())


def errors_of(method: str) -> float:
    """British phoneme error of the saved run, in per cent."""
    return 100 * kept_mean(method, "british", "phoneme_error")


def searched(method: str) -> dict[str, float]:
    """Learning rate → development phoneme error of the saved search in per cent, mean over its seeds."""
    tried = kept_rates()[method]["tried"]
    return {rate: 100 * sum(seeds.values()) / len(seeds) for rate, seeds in tried.items()}


def best_of(method: str, rates: Sequence[str] = ()) -> tuple[str, float]:
    """The best rate of these, or of all, and its error."""
    errors = {rate: error for rate, error in searched(method).items() if not rates or rate in rates}
    return lowest(errors), min(errors.values())


@kept_claim
def a_grid_that_stops_too_early() -> Values:
    """BitFit and LayerNorm tuning by the first three rates, and by all that were tried."""
    values: Values = {}
    for method in ("bitfit", "ln_tuning"):
        (early_rate, early), (rate, error) = best_of(method, GRID_OF_THREE), best_of(method)
        tried = sorted(map(float, searched(method)))
        claim(early_rate == GRID_OF_THREE[-1], f"the best of the three is their last, {method}")
        claim(tried[0] < float(rate) < tried[-1], f"the best lies inside what was tried, {method}", best=float(rate))
        values |= {f"{method}_early": early, f"{method}_best": error, f"{method}_rate": float(rate)}
    values["gap_early"] = values["bitfit_early"] - values["ln_tuning_early"]
    values["gap"] = values["ln_tuning_best"] - values["bitfit_best"]
    claim(values["gap_early"] > 0, "by three rates LayerNorm tuning looks better", **values)
    claim(values["gap"] > 0, "by all rates BitFit is not worse", **values)
    return values | {"last": float(GRID_OF_THREE[-1])}


@kept_claim
def what_bitfit_costs() -> Values:
    """BitFit beside full fine-tuning in the saved run: numbers, disk, seconds, memory, and the part of the gain."""
    start = 100 * kept_report()["base"]["british"]["phoneme_error"]
    values: Values = {"full": errors_of("full"), "bitfit": errors_of("bitfit"), "start": start}
    for method in ("full", "bitfit"):
        values |= {
            f"{method}_seconds": kept_mean(method, "seconds"),
            f"{method}_peak": kept_mean(method, "peak_memory_bytes") / 1e6,
        }
    for name, key in (("fewer", "trainable_parameters"), ("less", "adapter_bytes")):
        values[name] = kept_mean("full", key) / kept_mean("bitfit", key)
    values["gain"] = 100 * (start - values["bitfit"]) / (start - values["full"])
    claim(values["fewer"] > 100 and values["less"] > 100, "BitFit trains and stores a hundredth", **values)
    claim(values["bitfit_seconds"] > values["full_seconds"] / 2, "its time is not small", **values)
    claim(values["bitfit_peak"] > values["full_peak"] / 2, "its memory is not small", **values)
    claim(50 < values["gain"] < 100, "more than half of the gain, and not all", **values)
    return values


@kept_claim
def few_of_the_right_kind() -> Values:
    """Techniques with about as few trained numbers, in the saved run."""
    values: Values = {}
    for method in TECHNIQUES[1:]:
        values |= {method: errors_of(method), f"{method}_trained": kept_mean(method, "trainable_parameters")}
    small = {"BitFit": values["bitfit"], "LayerNorm tuning": values["ln_tuning"]}
    claim(values["ln_tuning_trained"] < values["bitfit_trained"], "LayerNorm tuning trains fewer", **values)
    claim(values["ssf"] < min(small.values()), "SSF is better than both", **values)
    return values | {"better": lowest(small), "apart": abs(values["bitfit"] - values["ln_tuning"])}
