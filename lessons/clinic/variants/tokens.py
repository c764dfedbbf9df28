"""The loss is taken over the wrong tokens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lessons.clinic.case import Settings
from lessons.clinic.cases.tokens import Turns, marked
from lessons.clinic.reading import IGNORED
from lessons.clinic.variants.labels import (
    Batch,
    answers,
    asks_all,
    behind,
    endless,
    in_pairs,
    one_of_the_prompt,
    over_padding,
    too_late,
    unshifted,
)
from lessons.clinic.variants.places import base, small
from lessons.clinic.variants.published import BOS, EOS, VOCAB, Published
from lessons.clinic.variants.published_runs import positions, words
from lessons.clinic.variants.variant import Made, Variant, elsewhere, otherwise
from lessons.clinic.world import World
from peft import BitFitConfig, LNTuningConfig, LoraConfig, SSFConfig

TEXT = small("text", LoraConfig(r=6, lora_alpha=12, target_modules=("q_proj", "v_proj")))
STOPS = small("stops", LoraConfig(r=2, lora_alpha=2, target_modules=("fc1", "fc2")))
PAIRS = small("pairs", SSFConfig())
NORMS = small("text", LNTuningConfig())


def published(change: Callable[[Batch], Batch], **config: Any) -> Callable[[Path], Made]:
    """A model of transformers; `change` spoils a batch that is padded behind."""

    def make(folder: Path) -> Made:
        model, well = Published(layers=1, **config), [behind(batch) for batch in words()]
        return {"model": model, "batches": [change(dict(batch)) for batch in well]}, {"model": model, "batches": well}

    return make


def asked_too_much(change: Callable[[Batch], Batch]) -> Callable[[Path], Made]:
    def make(folder: Path) -> Made:
        model, well = Published(), [answers(behind(batch)) for batch in words()]
        return {"model": model, "batches": [change(dict(batch)) for batch in well]}, {"model": model, "batches": well}

    return make


def one_row(world: World) -> Made:
    """Padding is asked for in the longest gap alone."""
    batches = [dict(batch) for batch in world.batches]
    labels = batches[1]["labels"].clone()
    row = int((labels == IGNORED).sum(1).argmax())
    pad = world.tuned().config.pad_id
    labels[row] = labels[row].masked_fill(labels[row] == IGNORED, pad)
    batches[1]["labels"] = labels
    model = world.tuned()
    return {"model": model, "batches": batches}, {"model": model, "batches": world.batches}


def one_batch(change: Callable[[Batch], Batch]) -> Callable[[World], Made]:
    """Two sources of data, and the collator of one of them is wrong."""

    def make(world: World) -> Made:
        first, *others = world.batches
        model = world.tuned()
        return {"model": model, "batches": [first, *(change(dict(batch)) for batch in others)]}, {
            "model": model,
            "batches": world.batches,
        }

    return make


def published_padding(**spoilt: bool) -> Callable[[Path], Made]:
    """GPT-2's kind: a table of positions, rows padded in front."""

    def make(folder: Path) -> Made:
        model = Published(table=True)
        well: Settings = {"model": model, "batches": [{**b, "position_ids": positions(b)} for b in words()]}
        if spoilt.get("mask"):
            sick = [{n: t for n, t in b.items() if n != "attention_mask"} for b in well["batches"]]
        else:
            sick = words()
        return {"model": model, "batches": sick}, well

    return make


def neighbours(world: World) -> Made:
    """A layer that takes the batch's mean off, as BatchNorm in training mode does it."""
    sick = world.tuned()
    dict(sick.base_model.named_modules())["decoder.layers.0"].register_forward_hook(minus_mean)
    return {"model": sick, "batches": world.batches}, {"model": world.tuned(), "batches": world.batches}


def minus_mean(module: nn.Module, given: Any, found: Tensor) -> Tensor:
    return found - found.mean(dim=0, keepdim=True)


def published_turns(folder: Path) -> Made:
    """A tokenizer as transformers has it; all rows but none, or some, begin with a turn."""
    model, plain = Published(), words()
    given: Settings = {"model": model, "tokenizer": Turns(VOCAB - 1)}
    free = [{**b, "input_ids": b["input_ids"].masked_fill(b["input_ids"] == VOCAB - 1, 4)} for b in plain]
    return {**given, "batches": free}, {**given, "batches": [marked(free[0], VOCAB - 1), free[1]]}


VARIANTS = [
    *elsewhere("template-left-out", {"text, LayerNorm tuning": NORMS, "stops": STOPS}),
    Variant("template-left-out", "transformers' names", published_turns),
    *elsewhere("loss-over-padding", {"text": TEXT, "base, ssf": base("ssf")}),
    Variant("loss-over-padding", "transformers' names, padded behind", published(over_padding)),
    otherwise("loss-over-padding", "pairs, one row", PAIRS, one_row),
    *elsewhere("labels-not-shifted", {"stops": STOPS, "base, bitfit": base("bitfit")}),
    Variant("labels-not-shifted", "transformers' names, padded behind", published(unshifted)),
    otherwise("labels-not-shifted", "pairs, one batch of two", PAIRS, one_batch(in_pairs(-1))),
    *elsewhere("labels-shifted-twice", {"text": TEXT, "base, p_tuning": base("p_tuning")}),
    Variant("labels-shifted-twice", "transformers' names, padded behind", published(too_late)),
    otherwise("labels-shifted-twice", "pairs, one batch of two", PAIRS, one_batch(in_pairs(1))),
    *elsewhere("eos-masked", {"text, LayerNorm tuning": NORMS, "base, prefix_tuning": base("prefix_tuning")}),
    Variant("eos-masked", "transformers' names, padded behind", published(endless)),
    Variant("eos-masked", "transformers' names, two end tokens", published(endless, eos_token_id=[EOS, BOS])),
    *elsewhere("pad-is-eos", {"stops, learned positions": STOPS, "stops, BitFit": small("stops", BitFitConfig())}),
    Variant("pad-is-eos", "transformers' names", published(endless, pad_token_id=EOS)),
    Variant("pad-is-eos", "transformers' names, two end tokens",
            published(endless, pad_token_id=EOS, eos_token_id=[EOS, BOS])),
    *elsewhere("loss-over-prompt", {"text, LayerNorm tuning": NORMS, "stops": STOPS}),
    Variant("loss-over-prompt", "transformers' names, padded behind", asked_too_much(asks_all)),
    Variant("loss-over-prompt", "transformers' names, one token early", asked_too_much(one_of_the_prompt)),
    *elsewhere("padding-changes-loss", {"text": TEXT, "stops": STOPS}),
    Variant("padding-changes-loss", "GPT-2's positions, without a mask", published_padding(mask=True)),
    Variant("padding-changes-loss", "GPT-2's positions, counted from the front", published_padding()),
    otherwise("padding-changes-loss", "text, the batch's mean", TEXT, neighbours),
    otherwise("padding-changes-loss", "pairs, the batch's mean", PAIRS, neighbours),
]  # fmt: skip
