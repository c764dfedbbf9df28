"""Rank, alpha, targets, rate: how to choose."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch

from lessons.clinic.cases.loaded import training
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import Published, PublishedPeft
from lessons.clinic.variants.published_runs import in_use, starting, words
from lessons.clinic.variants.variant import Made, Variant, elsewhere, otherwise
from lessons.clinic.world import World
from peft import AdapterConfig, IA3Config, LoraConfig, get_peft_model

TEXT = small("text", LoraConfig(r=6, lora_alpha=12, target_modules=("q_proj", "fc1")))
PAIRS = small("pairs", AdapterConfig(style="pfeiffer", bottleneck=8))
IA3 = small("pairs", IA3Config())


def at_rate(rate: float) -> Callable[[World], Made]:
    def make(world: World) -> Made:
        sick, well = training(world)
        sick["optimizer"] = world.optimizer(sick["model"], rate)
        return sick, well

    return make


def in_the_config(rate: float) -> Callable[[World], Made]:
    """The schedule is at its first step, where the optimizer's rate is 0; the training's settings tell."""

    def make(world: World) -> Made:
        sick, well = training(world)
        for run, peak in ((sick, rate), (well, world.rate)):
            for group in run["optimizer"].param_groups:
                group["lr"] = 0.0
            run["config"] = SimpleNamespace(learning_rate=peak)
        return sick, well

    return make


def full(rate: float) -> Callable[[World], Made]:
    """Every weight, no adapter."""

    def make(world: World) -> Made:
        runs = []
        for each in (rate, 1e-3):
            model = world.base().train()
            optimizer = torch.optim.AdamW(model.parameters(), lr=each)
            runs.append({"model": model, "batches": world.batches, "optimizer": optimizer})
        return runs[0], runs[1]

    return make


def one_group(world: World) -> Made:
    """A slip in the exponent of one of two groups."""
    sick, well = training(world)
    free = [p for p in sick["model"].parameters() if p.requires_grad]
    groups = [{"params": free[::2], "lr": 1e-3}, {"params": free[1::2], "lr": 30.0}]
    sick["optimizer"] = torch.optim.AdamW(groups)
    return sick, well


def published_rate(rate: float) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        runs = []
        for each in (rate, 1e-3):
            model = PublishedPeft(Published()).train()
            optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=each)
            runs.append({"model": model, "batches": words(), "optimizer": optimizer})
        return runs[0], runs[1]

    return make


def alpha(config: LoraConfig, better: LoraConfig) -> Callable[[World], Made]:
    """By the adapter's config."""

    def make(world: World) -> Made:
        sick, well = (get_peft_model(world.base(), each).train() for each in (config, better))
        return tuple(
            {"model": model, "batches": world.batches, "optimizer": world.optimizer(model, 1e-3)}
            for model in (sick, well)
        )

    return make


def scaled(model: PublishedPeft) -> None:
    """In one layer: its pattern names a rank, and none of α."""
    model.adapters()[-1].scaling["default"] = 0.05


def diverges(world: World) -> Made:
    """In training on what the base can do already: there it can only become worse."""
    runs = [world.train(world.fresh(), world.other, rate, 12) for rate in (60 * world.rate, 0.1 * world.rate)]
    return tuple({"model": model, "batches": world.other} for model in runs)


def diverges_whole(world: World) -> Made:
    """Every weight: there is no adapter to take off, and the base is given."""
    runs = [world.train(world.base(), world.other, rate, 12) for rate in (0.3, 1e-4)]
    return tuple({"model": model, "batches": world.other, "base": world.base()} for model in runs)


VARIANTS = [
    otherwise("rate-too-low", "base, prompt_tuning", base("prompt_tuning"), at_rate(2e-5)),
    otherwise("rate-too-low", "pairs, an adapter, in the config", PAIRS, in_the_config(1e-5)),
    otherwise("rate-too-low", "text, LoRA, in the config", TEXT, in_the_config(2e-6)),
    Variant("rate-too-low", "Hugging Face's names", published_rate(5e-6)),
    otherwise("rate-too-high", "text, every weight", TEXT, full(0.1)),
    otherwise("rate-too-high", "base, prefix_tuning", base("prefix_tuning"), at_rate(30.0)),
    otherwise("rate-too-high", "pairs, IA3, one group of two", IA3, one_group),
    otherwise("rate-too-high", "text, LoRA, one group of two", TEXT, one_group),
    Variant("rate-too-high", "Hugging Face's names", published_rate(0.3)),
    otherwise("alpha-forgotten", "text, a rank of 24 and α of 2", TEXT,
              alpha(LoraConfig(r=24, lora_alpha=2, target_modules=("fc1",)),
                    LoraConfig(r=24, lora_alpha=48, target_modules=("fc1",)))),
    otherwise("alpha-forgotten", "pairs, rsLoRA with α of 400", PAIRS,
              alpha(LoraConfig(r=4, lora_alpha=400, use_rslora=True), LoraConfig(r=4, lora_alpha=16, use_rslora=True))),
    *elsewhere("alpha-forgotten", {"base, dora": base("dora")}),
    Variant("alpha-forgotten", "Hugging Face's names, one layer", in_use(scaled)),
    otherwise("diverged", "base, rslora", base("rslora"), diverges),
    otherwise("diverged", "base, ia3", base("ia3"), diverges),
    otherwise("diverged", "text, LoRA", TEXT, diverges),
    otherwise("diverged", "pairs, an adapter", PAIRS, diverges),
    otherwise("diverged", "text, every weight", TEXT, diverges_whole),
    *elsewhere("eval-mode-in-training", {"base, adapter_houlsby": base("adapter_houlsby"), "text, LoRA": TEXT,
                                         "pairs, IA3": IA3}),
    Variant("eval-mode-in-training", "Hugging Face's names", starting(lambda model, given: model.eval())),
]  # fmt: skip
