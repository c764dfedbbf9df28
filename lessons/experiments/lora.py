"""Lesson 13's measurements: the thin matrices by hand, their start, the spectrum of what is learnt, what LoRA costs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lessons.compare.lora_study import RANK
from lessons.memory.plan import Setting, plan
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.task.shipped import shipped
from peft import LoraLinear, PeftModel, get_peft_model
from peft.low_rank import product
from transformer import train

W = torch.tensor([[1.0, 0, 2], [0, 1, 1]])
A, B, X, ALPHA = torch.tensor([[1.0, -1, 0]]), torch.tensor([[0.5], [1.0]]), torch.tensor([3.0, 1, 1]), 2.0


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
