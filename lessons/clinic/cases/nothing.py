"""The loss is 0 or NaN, or stays where it is."""

import types
from dataclasses import replace
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from lessons.clinic.case import Case, Settings
from lessons.clinic.cases.loaded import training
from lessons.clinic.reading import IGNORED
from lessons.clinic.world import World
from transformer.stack import Stack

LARGE = 2.0**15


def overflow(world: World) -> tuple[Settings, Settings]:
    """The same function in fp32: what fc1 makes large, fc2 makes small again. fp16 ends at 65,504."""
    runs = []
    for kind in (torch.float16, torch.bfloat16):
        model = world.base()
        with torch.no_grad():
            for path, module in model.named_modules():
                if path.endswith(("fc1", "fc3" if world.causal else "fc1")):
                    module.weight.mul_(LARGE)
                    if module.bias is not None:
                        module.bias.mul_(LARGE)
                elif path.endswith("fc2"):
                    module.weight.div_(LARGE)
        runs.append({"model": model.to(kind).eval(), "batches": world.batches})
    return runs[0], runs[1]


def zeros(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["batches"] = world.relabelled(lambda batch: torch.full_like(batch["labels"], IGNORED))
    return sick, well


def reentrant(self: Stack, layer: Any, x: Any, *others: Any, cache: Any = None) -> Any:
    """The older checkpointing: no gradient where the input asks for none."""
    return checkpoint(layer, x, *others, use_reentrant=True)


def cut_off(world: World) -> tuple[Settings, Settings]:
    sick, well = training(replace(world, adapt=world.bare, batches=world.other))
    for module in sick["model"].modules():
        if isinstance(module, Stack):
            module.run = types.MethodType(reentrant, module)
    well["model"].base_model.gradient_checkpointing()
    return sick, well


CASES = (
    Case(
        "fp16-overflow", 6, "The loss is NaN, at once or after some steps.",
        "A number passes 65,504, the largest of fp16.",
        "Compute in bf16, which reaches as far as fp32; or in fp32.",
        ("hiyouga/LLaMA-Factory#2810", "meta-llama/llama#578"), 15, overflow,
    ),
    Case(
        "mask-of-zeros", 6, "The loss is 0 or NaN from the first step.",
        "No token is asked for: the template has no marks of the answer, or every row was cut before it.",
        "Make the mask from the rendered text, and look at it in colour once.",
        ("marin-community/marin#7237", "hiyouga/LLaMA-Factory#506"), 8, zeros,
    ),
    Case(
        "no-gradient", 6, "The loss stays to the last digit.",
        "Gradient checkpointing of the older kind, and the input of the first layer takes no gradient: it stops there.",
        "use_reentrant=False, or enable_input_require_grads().",
        ("hiyouga/LLaMA-Factory#281",), 11, cut_off,
    ),
)  # fmt: skip
