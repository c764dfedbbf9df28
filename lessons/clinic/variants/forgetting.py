"""It forgets what it knew."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from lessons.clinic.cases.loaded import training
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published_runs import starting
from lessons.clinic.variants.variant import Made, Variant, otherwise
from lessons.clinic.world import World
from peft import AdapterConfig, BitFitConfig, LoraConfig

TEXT = small("text", LoraConfig(r=6, lora_alpha=12, target_modules="all-linear"))
PAIRS = small("pairs", BitFitConfig())
HOULSBY = small("pairs", AdapterConfig(style="houlsby", bottleneck=6))


def with_an_adapter(world: World) -> Made:
    """The adapter learnt the new task alone; repaired, it learnt both, and gently."""
    sick = world.train(world.fresh(), world.batches, 5 * world.rate, 40)
    well = world.train(world.fresh(), [*world.batches, *world.other], 0.2 * world.rate, 8)
    given = {"batches": world.batches, "other": world.other}
    return {"model": sick, **given}, {"model": well, **given}


def whole(world: World) -> Made:
    """Every weight of a small model."""
    given = {"batches": world.batches, "other": world.other, "base": world.base()}
    sick = world.train(world.base(), world.batches, 0.01, 40)
    well = world.train(world.base(), [*world.batches, *world.other], 1e-3, 8)
    return {"model": sick, **given}, {"model": well, **given}


def thawed(*names: str) -> Callable[[World], Made]:
    """A part of the base takes gradients beside the adapter."""

    def make(world: World) -> Made:
        sick, well = training(world)
        for name, parameter in sick["model"].base_model.named_parameters():
            if any(part in name for part in names):
                parameter.requires_grad_(True)
        sick["optimizer"] = world.optimizer(sick["model"])
        return sick, well

    return make


def norms(model: torch.nn.Module, given: list[torch.nn.Parameter]) -> None:
    for name, parameter in model.named_parameters():
        if "layernorm" in name:
            given.append(parameter.requires_grad_(True))


def moved(world: World) -> Made:
    """One test text is among the training texts, padded to another length."""
    batch, sizes = world.batches[0], world.other[0]
    one = {name: tensor[1:2] for name, tensor in batch.items()}
    front = {"input_ids": world.tuned().config.pad_id, "attention_mask": 0, "labels": -100, "answers": 0}
    padded = {
        name: torch.cat([torch.full((1, 3), front[name]).to(tensor), tensor], dim=1) for name, tensor in one.items()
    }
    given = {"model": world.tuned(), "batches": world.batches}
    return {**given, "held_out": [sizes, padded]}, {**given, "held_out": [sizes]}


def other_answer(world: World) -> Made:
    """The same question with another answer: split by row, not by what is read."""
    held = {name: tensor[:3].clone() for name, tensor in world.batches[0].items()}
    for name in ("input_ids", "labels"):
        held[name][:, -2] = torch.where(held[name][:, -2] == 9, 10, 9)
    given = {"model": world.tuned(), "batches": world.batches}
    return {**given, "held_out": [held]}, {**given, "held_out": world.other}


def one_row(world: World) -> Made:
    given, other = {"model": world.tuned(), "batches": world.batches}, world.other[0]
    late: Sequence[object] = [{name: tensor[-1:] for name, tensor in world.batches[-1].items()}]
    return {**given, "held_out": [other, *late]}, {**given, "held_out": [other]}


VARIANTS = [
    otherwise("forgetting", "base, adapter_houlsby", base("adapter_houlsby"), with_an_adapter),
    otherwise("forgetting", "base, ssf", base("ssf"), with_an_adapter),
    otherwise("forgetting", "text, LoRA", TEXT, with_an_adapter),
    otherwise("forgetting", "pairs, every weight", HOULSBY, whole),
    otherwise("forgetting", "stops, every weight", small("stops", LoraConfig(r=2)), whole),
    otherwise("base-not-frozen", "base, adapter_houlsby, the embedding", base("adapter_houlsby"), thawed("embedding")),
    otherwise("base-not-frozen", "text, the last layer", TEXT, thawed("layers.1.")),
    otherwise(
        "base-not-frozen", "pairs, BitFit, one matrix", PAIRS, thawed("encoder.layers.2.feed_forward.fc1.weight")
    ),
    Variant("base-not-frozen", "Hugging Face's names, the norms", starting(norms)),
    otherwise("test-in-training", "text, padded otherwise", TEXT, moved),
    otherwise("test-in-training", "text, another answer", TEXT, other_answer),
    otherwise("test-in-training", "pairs, one row", PAIRS, one_row),
    otherwise("test-in-training", "base, one word", base("dora"), lambda world: one_row(held_apart(world))),
]


def held_apart(world: World) -> World:
    """American words are no test of British ones: the last British rows are."""
    first, second = world.batches
    kept = {name: tensor[8:] for name, tensor in second.items()}
    sources = {tuple(row) for row in first["source"].tolist()}
    free = [row for row in range(8) if tuple(second["source"][row].tolist()) not in sources]
    return replace(world, batches=[first, kept], other=[{name: tensor[free] for name, tensor in second.items()}])
