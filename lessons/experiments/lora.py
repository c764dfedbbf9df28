"""Lesson 13's measurements: the thin matrices by hand, their start, the spectrum of what is learnt, what LoRA costs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor, nn

from lessons.compare.lora_study import PLACES, RANK, RANKS, load_study, trained_parameters, word_errors
from lessons.memory.plan import Setting, plan
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.task.shipped import shipped
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_report, kept_rows, lowest
from peft import LoraLinear, PeftModel, get_peft_model
from peft.low_rank import product
from transformer import train

W = torch.tensor([[1.0, 0, 2], [0, 1, 1]])
A, B, X, ALPHA = torch.tensor([[1.0, -1, 0]]), torch.tensor([[0.5], [1.0]]), torch.tensor([3.0, 1, 1]), 2.0
STUDY = "python -m lessons.compare.lora_study"


def layer_by_hand() -> LoraLinear:
    """The example's layer at its start: W, a random A, and B = 0."""
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data.copy_(W)
    return LoraLinear(linear, rank=1, alpha=ALPHA)


def british() -> PeftModel:
    """The base with the shipped LoRA that learnt from 1,000 British words."""
    return PeftModel.from_pretrained(load_base(), shipped("lora")["british"], adapter_name="british")


def a_word() -> tuple[Tensor, Tensor]:
    """Letters and British sounds of one word."""
    source, target = vocabulary().encode_word("tomato"), vocabulary().encode_pronunciation(load("british")["tomato"][0])
    return torch.tensor([source]), torch.tensor([target])


def first_gradients(model: PeftModel) -> dict[str, float]:
    """Σ |gradient| of every A and of every B, for one word."""
    source, target = a_word()
    model.zero_grad()
    logits = model(source, target[:, :-1])
    nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten()).backward()
    layers: list[Any] = [module for module in model.modules() if isinstance(module, LoraLinear)]
    factors = {"A": [each.lora_A for each in layers], "B": [each.lora_B for each in layers]}
    return {name: sum(float(each.weight.grad.abs().sum()) for each in found) for name, found in factors.items()}


def seconds_of(model: nn.Module, repeats: int = 10) -> float:
    """The median time of one pass over 64 copies of a word."""
    source, target = (side.repeat(64, 1) for side in a_word())
    taken = []
    with torch.no_grad():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            model(source, target)
            taken.append(time.perf_counter() - start)
    return sorted(taken[1:])[repeats // 2]


@dataclass(frozen=True)
class Spectrum:
    """The singular values of one matrix's ΔW, by LoRA and by full fine-tuning."""

    low: Tensor
    whole: Tensor

    @property
    def ranks(self) -> tuple[int, int]:
        """How many singular values are no rounding error."""
        low, whole = (int((values > 1e-4 * values[0]).sum()) for values in (self.low, self.whole))
        return low, whole

    @property
    def share(self) -> float:
        """Of full fine-tuning's ‖ΔW‖², what its 8 largest directions hold, in per cent."""
        return float(100 * (self.whole[:RANK] ** 2).sum() / (self.whole**2).sum())


def spectra(model: PeftModel, full: PeftModel, paths: Sequence[str]) -> dict[str, Spectrum]:
    base, found = load_base(), {}
    adapter: Any = full.adapters["default"]
    for path in paths:
        slot: Any = model.base_model.get_submodule(path)
        layer = slot.layers["british"]
        trained = adapter.own_parameters()[f"base_model.model.{path}.weight"]
        changes = product(layer.lora_B, layer.lora_A, layer.scaling), trained - base.get_parameter(f"{path}.weight")
        found[path] = Spectrum(*(torch.linalg.svdvals(change.detach()) for change in changes))
    return found


def errors_of_ranks(ranks: Sequence[int], steps: int, words: Sequence[str]) -> dict[int, float]:
    """Rank → British phoneme error in per cent after a short run, all at the same rate and the same α/r."""
    examples, errors = pairs("british", fine_tuning_words("british"), all_pronunciations=True), {}
    for rank in ranks:
        torch.manual_seed(0)
        model = get_peft_model(load_base(), adapter_config("lora", r=rank, lora_alpha=2 * rank))
        train(model, examples, training_config(steps, rate_of("lora"), seed=0))
        errors[rank] = 100 * evaluate(model, words, "british").phoneme_error
    return errors


def kept_study() -> dict[str, Any] | None:
    """The study of places and ranks, where it has been run."""
    try:
        return load_study()
    except FileNotFoundError:
        return None


@kept_claim
def places_and_ranks() -> Values:
    """The study's findings: the best place and rank, each at its own rate, and how far the others are from them."""
    study = kept_study()
    if study is None:
        return {"command": STUDY}
    places = {place: word_errors(study, place, RANK, own=True) for place in PLACES}
    ranks = {str(rank): word_errors(study, "all linear", rank, own=True) for rank in RANKS}
    by_place = {name: errors[0] for name, errors in places.items() if errors}
    by_rank = {name: errors[0] for name, errors in ranks.items() if errors}
    best, rank = lowest(by_place), lowest(by_rank)
    claim(by_place[best] <= by_place["q, v"], "some place is at least as good as the paper's", best=by_place[best])
    return {
        "best": best,
        "best_error": by_place[best],
        "attention_error": by_place["q, v"],
        "attention_parameters": trained_parameters(study, "q, v", RANK),
        "best_parameters": trained_parameters(study, best, RANK),
        "rank": rank,
        "rank_error": by_rank[rank],
        "one_error": by_rank["1"],
        "most_error": by_rank[str(RANKS[-1])],
        "command": STUDY,
    }


def per_seed(method: str, *keys: str) -> list[float]:
    """One number of a technique's kept rows, for each seed."""
    values: list[Any] = kept_rows(method)
    for key in keys:
        values = [value[key] for value in values]
    return values


def beside(first: str, second: str, *keys: str) -> str:
    """Which way the saved run went: "above", "below" or, within twice the error of the difference, "level with"."""
    sides = [per_seed(method, *keys) for method in (first, second)]
    difference = mean(sides[0]) - mean(sides[1])
    spread = sqrt(sum(stdev(side) ** 2 / len(side) for side in sides if len(side) > 1))
    return "level with" if abs(difference) <= 2 * spread else "above" if difference > 0 else "below"


@kept_claim
def lora_beside_full() -> Values:
    """Parameters, seconds, memory and errors of LoRA and of full fine-tuning in the saved run."""
    values = {
        f"{method}_{name}": scale * kept_mean(method, *keys)
        for method in ("lora", "full")
        for name, scale, keys in (
            ("trained", 1, ("trainable_parameters",)),
            ("seconds", 1, ("seconds",)),
            ("peak", 1e-6, ("peak_memory_bytes",)),
            ("british", 100, ("british", "phoneme_error")),
            ("american", 100, ("american", "phoneme_error")),
        )
    }
    claim(values["lora_trained"] < 0.2 * values["full_trained"], "LoRA trains few numbers", **values)
    claim(values["lora_seconds"] > 0.8 * values["full_seconds"], "LoRA saves no time here", **values)
    claim(values["lora_peak"] > 0.95 * values["full_peak"], "LoRA saves no memory here", **values)
    base = 100 * kept_report()["base"]["american"]["phoneme_error"]
    claim(values["lora_american"] > 1.5 * base, "with LoRA on, American is forgotten", base=base, **values)
    return {
        **values,
        "base": base,
        "seeds": len(kept_rows("lora")),
        "steps": kept_report()["run"]["steps"],
        "british_way": beside("lora", "full", "british", "phoneme_error"),
        "american_way": beside("lora", "full", "american", "phoneme_error"),
    }


def memory_ratios(models: Sequence[str], batches: Sequence[int]) -> dict[str, list[float]]:
    """LoRA's bytes over full fine-tuning's, by count, for each batch of sequences of 512 tokens."""
    totals = {
        (model, method, batch): plan(Setting(model, method, batch=batch)).total
        for model in models
        for method in ("lora", "full")
        for batch in batches
    }
    return {model: [totals[model, "lora", n] / totals[model, "full", n] for n in batches] for model in models}


def crossings(ratios: Mapping[str, Sequence[float]], batches: Sequence[int]) -> dict[str, int]:
    """The first batch at which LoRA needs more memory than full fine-tuning."""
    return {
        model: next(n for n, ratio in zip(batches, found, strict=True) if ratio > 1) for model, found in ratios.items()
    }
