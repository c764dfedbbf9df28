"""The merged or exported model is not the tuned one."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lessons.clinic.case import Settings
from lessons.clinic.cases.merged import files
from lessons.clinic.reading import logits_of, read
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import BOS, EOS, PAD, Published
from lessons.clinic.variants.published_runs import positions, words
from lessons.clinic.variants.variant import Made, Variant, elsewhere, otherwise
from lessons.clinic.world import World
from peft import IA3Config, LoraConfig, PeftModel, SSFConfig, VeraConfig, get_peft_model

TEXT = small("text", LoraConfig(r=6, lora_alpha=24, target_modules=("v_proj", "fc3")))
PAIRS = small("pairs", LoraConfig(r=3, lora_alpha=7, target_modules=("out_proj", "fc2"), use_rslora=True))
QUARTER = small("pairs", LoraConfig(r=8, lora_alpha=2, target_modules=("q_proj", "fc1")))
VERA = small("text", VeraConfig(r=12, target_modules=("q_proj", "fc2")))


def published(times: float, branch: bool = False) -> Callable[[Path], Made]:
    """A model of transformers with our adapter's update written into it so many times."""

    def make(folder: Path) -> Made:
        config = LoraConfig(r=2, lora_alpha=6, target_modules=("q_proj", "up_proj"))
        tuned = get_peft_model(Published(layers=3), config).train()
        optimizer = torch.optim.AdamW([p for p in tuned.parameters() if p.requires_grad], lr=0.02)
        for batch in words() * 4:
            reading = read(batch, True, PAD, EOS)
            scores = logits_of(tuned, reading, theirs=True)
            loss = nn.functional.cross_entropy(scores.mT, reading.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tuned.eval().save_pretrained(folder / "published")
        given = {"batches": words(), "base": Published(layers=3), "folder": folder / "published"}
        once, sick = copy.deepcopy(tuned).merge_and_unload(), copy.deepcopy(tuned)
        for layer in (module for module in sick.modules() if hasattr(module, "lora_A")):
            layer.scaling *= times
        merged: Any = sick.merge_and_unload()
        if branch:
            merged = PeftModel.from_pretrained(merged, folder / "published", check_base=False)
            return {"model": merged.eval(), **given}, {"model": tuned, **given}
        return {"model": merged.eval(), **given}, {"model": once.eval(), **given}

    return make


def factor(times: float) -> Callable[[World], Made]:
    return lambda world: (
        {"model": world.merged(times=times), **files(world)},
        {"model": world.merged(), **files(world)},
    )


def twice_in(part: str) -> Callable[[World], Made]:
    """A merge that was broken off and begun again: some of the layers had it already."""

    def make(world: World) -> Made:
        once, sick, again = (world.merged(times=times) for times in (1.0, 1.0, 2.0))
        numbers = again.state_dict()
        with torch.no_grad():
            for name, parameter in sick.named_parameters():
                if part in f".{name}":
                    parameter.copy_(numbers[name])
        return {"model": sick, **files(world)}, {"model": once, **files(world)}

    return make


def in_bf16(world: World) -> Made:
    sick, well = (world.merged(times=times).to(torch.bfloat16) for times in (2.0, 1.0))
    return {"model": sick, **files(world)}, {"model": well, **files(world)}


def rows_moved(names: tuple[str, ...], kind: torch.dtype = torch.float32) -> Callable[[World], Made]:
    """In the order of a file that keeps pairs of rows together, in these matrices."""

    def make(world: World) -> Made:
        sick = world.base()
        with torch.no_grad():
            for path, module in sick.named_modules():
                if path.endswith(names):
                    rows = torch.arange(module.weight.shape[0])
                    module.weight.copy_(module.weight[rows.view(2, -1).T.flatten()])
        given: Settings = {"batches": world.batches, "base": world.base()}
        return {"model": sick.to(kind), **given}, {"model": world.base().to(kind), **given}

    return make


def published_rows(folder: Path) -> Made:
    sick = Published()
    with torch.no_grad():
        for layer in sick.layers[:1]:
            for module in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                heads, each = 4, module.weight.shape[0] // 4
                pairs = module.weight.view(heads, 2, each // 2, -1).transpose(1, 2)
                module.weight.copy_(pairs.reshape(module.weight.shape).clone())
    given: Settings = {"batches": words(), "base": Published()}
    return {"model": sick, **given}, {"model": Published(), **given}


def a_copy(world: World) -> Made:
    """Saved with a head of its own, and the embedding was trained on."""
    sick = world.base()
    sick.output.weight = nn.Parameter(sick.output.weight.detach().clone())
    with torch.no_grad():
        sick.source_embedding.weight[BOS:9] += 0.1
    return {"model": sick, "batches": world.batches}, {"model": world.base(), "batches": world.batches}


def published_head(table: bool) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        sick, well = Published(table=table), Published(table=table)
        sick.lm_head.weight = nn.Parameter(1.02 * sick.lm_head.weight.detach())
        batches = [{**batch, "position_ids": positions(batch)} if table else batch for batch in words()]
        return {"model": sick, "batches": batches}, {"model": well, "batches": batches}

    return make


VARIANTS = [
    *elsewhere("merged-nothing", {"base, rslora": base("rslora"), "base, ssf": base("ssf"), "text, VeRA": VERA}),
    Variant("merged-nothing", "transformers' names, LoRA on q and up", published(0.0)),
    *elsewhere("merged-twice", {"base, dora": base("dora"), "text, LoRA on v and fc3": TEXT}),
    otherwise("merged-twice", "pairs, rsLoRA, written in bf16", PAIRS, in_bf16),
    otherwise("merged-twice", "base, the decoder alone", base("lora_plus"), twice_in(".decoder.")),
    otherwise("merged-twice", "text, one layer of two", TEXT, twice_in(".layers.1.")),
    Variant("merged-twice", "transformers' names, three times", published(3.0)),
    otherwise("merged-without-scale", "base, rslora, α/√r left out", base("rslora"), factor(8**0.5 / 16)),
    otherwise("merged-without-scale", "text, a scale of 4", TEXT, factor(0.25)),
    otherwise("merged-without-scale", "pairs, a scale of a quarter", QUARTER, factor(4.0)),
    Variant("merged-without-scale", "transformers' names, a scale of 3", published(1 / 3)),
    otherwise("merged-without-scale", "pairs, rsLoRA, α/r in its place", PAIRS, factor(3**-0.5)),
    otherwise("merged-without-scale", "base, dora", base("dora"), factor(0.5)),
    *elsewhere("branch-still-active", {"base, rslora": base("rslora"), "pairs, IA3": small("pairs", IA3Config()),
                                       "text, SSF": small("text", SSFConfig())}),
    Variant("branch-still-active", "transformers' names", published(1.0, branch=True)),
    otherwise("rows-permuted", "text, keys alone", TEXT, rows_moved(("k_proj",))),
    otherwise("rows-permuted", "base, the feed forward", base("lora"), rows_moved(("fc1",))),
    otherwise("rows-permuted", "pairs, kept in bf16", PAIRS, rows_moved(("q_proj",), torch.bfloat16)),
    Variant("rows-permuted", "transformers' names, the first layer", published_rows),
    otherwise("head-untied", "text, some rows", TEXT, a_copy),
    otherwise("head-untied", "pairs, some rows", PAIRS, a_copy),
    Variant("head-untied", "transformers' names", published_head(False)),
    Variant("head-untied", "transformers' names, GPT-2's", published_head(True)),
]  # fmt: skip
