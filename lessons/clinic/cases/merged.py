"""The merged or exported model is not the tuned one."""

import copy
from dataclasses import replace

import torch

from lessons.clinic.case import Case, Settings
from lessons.clinic.world import World


def files(world: World) -> Settings:
    return {"batches": world.batches, "base": world.base(), "folder": world.folder}


def nothing(world: World) -> tuple[Settings, Settings]:
    return {"model": world.base(), **files(world)}, {"model": world.merged(), **files(world)}


def twice(world: World) -> tuple[Settings, Settings]:
    return {"model": world.merged(times=2.0), **files(world)}, {"model": world.merged(), **files(world)}


def scale_left_out(world: World) -> tuple[Settings, Settings]:
    return {"model": world.merged(times=0.5), **files(world)}, {"model": world.merged(), **files(world)}


def branch(world: World) -> tuple[Settings, Settings]:
    return {"model": replace(world, base=world.merged).tuned(), **files(world)}, {
        "model": world.tuned(),
        **files(world),
    }


def permuted(world: World) -> tuple[Settings, Settings]:
    base, sick = world.base(), world.base()
    heads = base.config.num_heads
    with torch.no_grad():
        for path, module in sick.named_modules():
            if path.endswith((".q_proj", ".k_proj")):
                rows = torch.arange(module.weight.shape[0])
                groups = heads if len(rows) % (2 * heads) == 0 else 1
                module.weight.copy_(module.weight[rows.view(groups, 2, -1).transpose(1, 2).flatten()])
    given = {"batches": world.batches, "base": base}
    return {"model": sick, **given}, {"model": copy.deepcopy(base), **given}


def untied(world: World) -> tuple[Settings, Settings]:
    sick = world.base()
    sick.output.weight = torch.nn.Parameter(sick.output.weight.detach() * 1.01)
    return {"model": sick, "batches": world.batches}, {"model": world.base(), "batches": world.batches}


CASES = (
    Case(
        "merged-nothing", 1, "The exported model answers like the base.",
        "What was saved is the base: the adapter was never written into its weights.",
        "Call merge_and_unload() and save what it returns; compare its weights with the base's afterwards.",
        ("unslothai/unsloth#522", "unslothai/unsloth#2142"), 13, nothing,
    ),
    Case(
        "merged-twice", 1, "The exported model exaggerates, or breaks, where the tuned one was right.",
        "The update was written into weights that held it already.",
        "Merge once, into a base loaded anew.",
        ("unslothai/unsloth#2374",), 13, twice,
    ),
    Case(
        "merged-without-scale", 1, "The exported model is only half as tuned.",
        "BA was added, and α/r left out.",
        "W + (α/r) BA: let merged() do it, or multiply.",
        ("unslothai/unsloth#3508",), 13, scale_left_out,
    ),
    Case(
        "branch-still-active", 1, "After the merge the model is worse than before it.",
        "The weights hold the update, and the adapter beside them still adds it.",
        "Take the adapter off after merging: merge_and_unload() instead of a merge by hand.",
        ("unslothai/unsloth#1519",), 13, branch,
    ),
    Case(
        "rows-permuted", 1, "No error, and the text still looks like language; the loss is higher.",
        "The file keeps the rows of queries and keys in another order (GGUF: in pairs for rotary positions).",
        "Put the rows back in order where the file is read.",
        ("unslothai/unsloth#5410",), 4, permuted,
    ),
    Case(
        "head-untied", 1, "The saved model speaks worse than the one in memory.",
        "Embedding and output are one matrix by the config; two were trained or kept.",
        "Tie them again before saving (tie_weights()), or say tie_embeddings=False in the config.",
        ("unslothai/unsloth#3045",), 2, untied,
    ),
)  # fmt: skip
