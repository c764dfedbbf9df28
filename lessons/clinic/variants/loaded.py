"""The adapter is loaded, and the output is the base's, or random."""

import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lessons.clinic.cases.loaded import Words, training
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import VOCAB, Published, PublishedPeft
from lessons.clinic.variants.published_runs import in_use, starting, words
from lessons.clinic.variants.variant import Made, Variant, elsewhere, otherwise
from lessons.clinic.world import World
from peft import AdapterConfig, IA3Config, LoraConfig, PeftModel, SSFConfig, get_peft_model

TEXT = small("text", LoraConfig(r=6, lora_alpha=9, target_modules=("k_proj", "out_proj"), lora_dropout=0.1))
BESIDE = small("text", AdapterConfig(style="parallel", bottleneck=8))
PAIRS = small("pairs", SSFConfig())
HOULSBY = small("pairs", AdapterConfig(style="houlsby", bottleneck=6))


def switched_off(model: PublishedPeft) -> None:
    for layer in model.adapters():
        layer.disable_adapters = True


def blank(model: PublishedPeft) -> None:
    for layer in model.adapters():
        nn.init.zeros_(layer.lora_B["default"].weight)


def half_loaded(world: World) -> Made:
    """The names of the second half did not match."""
    sick, fresh = world.tuned(), get_peft_model(world.base(), next(iter(world.tuned().peft_config.values()))).eval()
    numbers = dict(fresh.adapters["default"].own_parameters())
    with torch.no_grad():
        for name in list(numbers)[len(numbers) // 2 :]:
            sick.adapters["default"].own_parameters()[name].copy_(numbers[name])
    given = {"batches": world.batches, "folder": world.folder}
    return {"model": sick, **given}, {"model": world.tuned(), **given}


def one_layer_differs(world: World) -> Made:
    """A base of the same kind, of which one matrix has been trained on."""

    def other() -> nn.Module:
        model = world.base()
        with torch.no_grad():
            next(module for module in model.modules() if isinstance(module, nn.Linear)).weight.mul_(1.1)
        return model

    given = {"batches": world.batches, "folder": world.folder}
    return {"model": replace(world, base=other).tuned(), **given}, {"model": world.tuned(), **given}


def loaded_for_use(world: World) -> Made:
    well = training(world)[1]
    model = PeftModel.from_pretrained(world.base(), world.folder).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=world.rate)
    return {"model": model, "batches": world.batches, "optimizer": optimizer}, well


def added_later(world: World) -> Made:
    """The optimizer holds the first half of what is trained."""
    sick, well = training(world)
    given = [p for p in sick["model"].parameters() if p.requires_grad]
    sick["optimizer"] = torch.optim.AdamW(given[: len(given) // 2], lr=world.rate)
    return sick, well


def one_part(world: World) -> Made:
    """An evaluation that put a part of the model back into training."""
    sick = world.tuned()
    last = [module for module in sick.modules() if isinstance(module, nn.Dropout) and module.p > 0][-1]
    last.train()
    return {"model": sick, "batches": world.batches}, {"model": world.tuned(), "batches": world.batches}


def never_seen(world: World) -> Made:
    """A new symbol in the answers, whose row pretraining has never asked for."""
    old, new, batches = 5, 45, []
    for batch in world.other:
        changed = {name: tensor.clone() for name, tensor in batch.items()}
        for name in {"inputs", "labels", "input_ids"} & set(changed):
            changed[name][changed[name] == old] = new
        batches.append(changed)
    model = world.train(world.bare(world.base()), world.other, 0.1 * world.rate, 4)
    return {"model": model, "batches": batches}, {"model": model, "batches": world.other}


class Counted:
    """A tokenizer of the library `tokenizers`: it says its size by another name."""

    def __init__(self, size: int):
        self.size = size

    def get_vocab_size(self) -> int:
        return self.size


def tokens(sick: Any, well: Any) -> Callable[[World], Made]:
    return lambda world: tuple(
        {"model": world.tuned(), "batches": world.batches, "tokenizer": tokenizer} for tokenizer in (sick, well)
    )


def other_words(folder: Path) -> Made:
    """A model of transformers beside the tokenizer of a larger one."""
    return tuple({"model": Published(), "batches": words(), "tokenizer": Words(size)} for size in (2 * VOCAB, VOCAB))


def thawed_for_nothing(model: PublishedPeft, given: list[nn.Parameter]) -> None:
    model.requires_grad_(False)


def stray(model: PublishedPeft, given: list[nn.Parameter]) -> None:
    given[:] = [nn.Parameter(torch.zeros(3))]


def none_active(model: PublishedPeft) -> None:
    model.active_adapters = []


def as_a_method(model: PublishedPeft) -> None:
    """As models of transformers with an adapter inside have it: a method, not a list."""
    model.active_adapters = types.MethodType(lambda self: [], model)


VARIANTS = [
    *elsewhere("adapter-off", {"base, ia3": base("ia3"), "base, prefix_tuning": base("prefix_tuning"), "text": BESIDE}),
    Variant("adapter-off", "Hugging Face's names, layers off", in_use(switched_off)),
    Variant("adapter-off", "Hugging Face's names, none active", in_use(none_active)),
    Variant("adapter-off", "Hugging Face's names, a method says none", in_use(as_a_method)),
    *elsewhere("adapter-not-loaded", {"base, adapter_pfeiffer": base("adapter_pfeiffer"), "base, vera": base("vera"),
                                      "pairs, SSF": PAIRS}),
    otherwise("adapter-not-loaded", "text, half of it", TEXT, half_loaded),
    otherwise("adapter-not-loaded", "pairs, half of it", HOULSBY, half_loaded),
    Variant("adapter-not-loaded", "Hugging Face's names, B is 0", in_use(blank)),
    *elsewhere("adapter-of-another-base", {"base, bitfit": base("bitfit"), "base, p_tuning_v2": base("p_tuning_v2")}),
    otherwise("adapter-of-another-base", "text, one matrix", TEXT, one_layer_differs),
    otherwise("adapter-of-another-base", "pairs, one matrix", HOULSBY, one_layer_differs),
    *elsewhere("adapter-frozen", {"base, ssf": base("ssf"), "text, a parallel adapter": BESIDE}),
    otherwise("adapter-frozen", "pairs, loaded for use", HOULSBY, loaded_for_use),
    Variant("adapter-frozen", "Hugging Face's names", starting(thawed_for_nothing)),
    *elsewhere("optimizer-before-adapter", {"base, adapter_parallel": base("adapter_parallel")}),
    otherwise("optimizer-before-adapter", "text, half of it", TEXT, added_later),
    otherwise("optimizer-before-adapter", "pairs, half of it", PAIRS, added_later),
    Variant("optimizer-before-adapter", "Hugging Face's names", starting(stray)),
    *elsewhere("dropout-left-on", {"base, p_tuning": base("p_tuning"), "pairs, SSF": PAIRS}),
    otherwise("dropout-left-on", "text, the last one", TEXT, one_part),
    otherwise("dropout-left-on", "base, the last one", base("adapter_houlsby"), one_part),
    Variant("dropout-left-on", "Hugging Face's names", in_use(lambda model: model.train())),
    *elsewhere("new-rows-untrained", {"base, ia3": base("ia3"), "base, rslora": base("rslora"),
                                      "base, adapter_pfeiffer": base("adapter_pfeiffer")}),
    otherwise("new-rows-untrained", "text, LoRA", TEXT, never_seen),
    otherwise("new-rows-untrained", "pairs, IA3", small("pairs", IA3Config()), never_seen),
    otherwise("another-tokenizer", "text, larger by one", TEXT, tokens(Counted(48), Counted(47))),
    otherwise("another-tokenizer", "base, a third of it", base("lora"), tokens(Words(24), Words(73))),
    otherwise("another-tokenizer", "pairs, smaller than the ids", PAIRS, tokens(Counted(30), Counted(47))),
    otherwise("another-tokenizer", "base, ia3, larger by ten", base("ia3"), tokens(Words(83), Words(73))),
    Variant("another-tokenizer", "transformers' names, another's", other_words),
]  # fmt: skip
