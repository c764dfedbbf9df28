"""The loss is 0 or NaN, or stays where it is."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lessons.clinic.cases.loaded import training
from lessons.clinic.reading import IGNORED
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import Block, Published
from lessons.clinic.variants.published_runs import starting, words
from lessons.clinic.variants.variant import Made, Variant, elsewhere, otherwise
from lessons.clinic.world import World
from peft import AdapterConfig, LoraConfig, SSFConfig

TEXT = small("text", LoraConfig(r=6, lora_alpha=12, target_modules=("q_proj", "v_proj")))
STOPS = small("stops", LoraConfig(r=2, lora_alpha=2, target_modules=("fc1", "fc2")))
PAIRS = small("pairs", SSFConfig())
HOULSBY = small("pairs", AdapterConfig(style="houlsby", bottleneck=6))


def in_the_scores(folder: Path) -> Made:
    """Queries and keys grow together: their product passes fp16's end, in bf16 it does not."""
    runs = []
    for kind in (torch.float16, torch.bfloat16):
        model = Published()
        with torch.no_grad():
            for layer in model.layers:
                layer.self_attn.q_proj.weight *= 600
                layer.self_attn.k_proj.weight *= 600
        runs.append({"model": model.to(kind), "batches": words()})
    return runs[0], runs[1]


def one_weight(world: World) -> Made:
    """Training left NaN in one layer."""
    sick = world.tuned()
    with torch.no_grad():
        [p for p in sick.parameters() if p.dim() == 2][-1][0, 0] = float("nan")
    return {"model": sick, "batches": world.batches}, {"model": world.tuned(), "batches": world.batches}


def second_batch(world: World) -> Made:
    """The mean of no tokens is NaN at that step, and everything after it."""
    sick, well = training(world)
    batches = [dict(batch) for batch in world.batches]
    batches[1]["labels"] = torch.full_like(batches[1]["labels"], IGNORED)
    return {**sick, "batches": batches}, well


def published_zeros(folder: Path) -> Made:
    batches = [{**batch, "labels": torch.full_like(batch["labels"], IGNORED)} for batch in words()]
    model = Published()
    return {"model": model, "batches": batches}, {"model": model, "batches": words()}


def cut(where: str) -> Callable[[World], Made]:
    """What comes out of this layer is taken off the graph, as `torch.no_grad()` around a part of the forward does it."""

    def make(world: World) -> Made:
        sick, well = training(world)
        dict(sick["model"].base_model.named_modules())[where].register_forward_hook(off_the_graph)
        return sick, well

    return make


def off_the_graph(module: nn.Module, given: Any, found: Any) -> Any:
    return found.detach()


def published_cut(model: nn.Module, given: list[nn.Parameter]) -> None:
    """The whole stack without a graph."""
    for module in model.modules():
        if isinstance(module, Block):
            module.forward = types.MethodType(torch.no_grad()(Block.forward), module)


VARIANTS = [
    *elsewhere("fp16-overflow", {"text, gated": TEXT, "pairs, SSF": PAIRS}),
    Variant("fp16-overflow", "transformers' names, in the scores", in_the_scores),
    otherwise("fp16-overflow", "stops, one NaN in a weight", STOPS, one_weight),
    *elsewhere("mask-of-zeros", {"text, LoRA": TEXT, "base, ssf": base("ssf")}),
    Variant("mask-of-zeros", "transformers' names, no adapter", published_zeros),
    otherwise("mask-of-zeros", "pairs, one batch of two", PAIRS, second_batch),
    *elsewhere("no-gradient", {"text, LoRA": TEXT, "stops, the feed forward": STOPS}),
    otherwise("no-gradient", "base, adapter_houlsby, behind the decoder", base("adapter_houlsby"), cut("decoder")),
    otherwise("no-gradient", "pairs, the encoder alone", HOULSBY, cut("encoder")),
    otherwise("no-gradient", "text, the first layer alone", TEXT, cut("decoder.layers.0")),
    Variant("no-gradient", "Hugging Face's names, without a graph", starting(published_cut)),
]
