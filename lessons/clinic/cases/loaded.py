"""The adapter is loaded, and the output is the base's, or random."""

from dataclasses import replace

import torch
from torch import nn

from lessons.clinic.case import Case, Settings
from lessons.clinic.world import World


class Words:
    """A tokenizer of so many tokens."""

    def __init__(self, size: int):
        self.size = size

    def __len__(self) -> int:
        return self.size


def off(world: World) -> tuple[Settings, Settings]:
    sick, given = world.tuned(), {"batches": world.batches}
    sick.activate(())
    return {"model": sick, **given}, {"model": world.tuned(), **given}


def other_names(world: World) -> tuple[Settings, Settings]:
    sick, given = world.fresh().eval(), {"batches": world.batches, "folder": world.folder}
    return {"model": sick, **given}, {"model": world.tuned(), **given}


def other_base(world: World) -> tuple[Settings, Settings]:
    def other() -> nn.Module:
        base = world.base()
        with torch.no_grad():
            for parameter in base.parameters():
                parameter.mul_(1.05)
        return base

    sick = replace(world, base=other).tuned()
    given = {"batches": world.batches, "folder": world.folder}
    return {"model": sick, **given}, {"model": world.tuned(), **given}


def training(world: World) -> tuple[Settings, Settings]:
    """Two runs at the start of training."""
    runs = []
    for _ in range(2):
        model = world.fresh()
        runs.append({"model": model, "batches": world.batches, "optimizer": world.optimizer(model)})
    return runs[0], runs[1]


def frozen(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    sick["model"].requires_grad_(False)
    return sick, well


def built_before(world: World) -> tuple[Settings, Settings]:
    sick, well = training(world)
    base = world.base()
    sick["optimizer"] = world.optimizer(base)
    return sick, well


def dropout(world: World) -> tuple[Settings, Settings]:
    return {"model": world.tuned().train(), "batches": world.batches}, {
        "model": world.tuned(),
        "batches": world.batches,
    }


def untrained_rows(world: World) -> tuple[Settings, Settings]:
    sick, well = training(replace(world, adapt=world.bare))[0], training(world)[0]
    return sick, well


def tokenizer(world: World) -> tuple[Settings, Settings]:
    model, given = world.tuned(), {"batches": world.batches}
    size = model.config.vocab_size
    return {"model": model, "tokenizer": Words(size + 7), **given}, {"model": model, "tokenizer": Words(size), **given}


CASES = (
    Case(
        "adapter-off", 3, "The adapter is loaded, and the answers are the base's.",
        "No adapter is switched on.",
        'set_adapter("default"), or leave the block of disable_adapter().',
        ("huggingface/peft#1389", "huggingface/peft#515"), 13, off,
    ),
    Case(
        "adapter-not-loaded", 3, "After loading, the output is the base's to the last bit.",
        "The file's names match nothing in the model, and the loader let it pass: B is still 0.",
        "Load strictly (from_pretrained), and put the names right.",
        ("huggingface/peft#1678", "huggingface/transformers#23416"), 13, other_names,
    ),
    Case(
        "adapter-of-another-base", 3, "The answers are worse than the base's.",
        "The adapter was trained on other weights.",
        "Load the base whose fingerprint the adapter's config names.",
        ("huggingface/peft#1932",), 13, other_base,
    ),
    Case(
        "adapter-frozen", 3, "The loss stays; the saved adapter is as it began.",
        "The adapter was loaded for use, or everything was frozen after it was put in place.",
        "from_pretrained(..., is_trainable=True), or set_adapter again.",
        ("huggingface/peft#1689",), 13, frozen,
    ),
    Case(
        "optimizer-before-adapter", 3, "The loss stays; no error.",
        "The optimizer was built from the model's parameters before the adapter was there.",
        "Build the optimizer after get_peft_model.",
        ("huggingface/peft#1579",), 11, built_before,
    ),
    Case(
        "dropout-left-on", 3, "The same question gets another answer each time.",
        "The model is still in training mode.",
        "model.eval() before use.",
        ("huggingface/peft#1523",), 5, dropout,
    ),
    Case(
        "new-rows-untrained", 3, "It is right but for the new symbols, which it never says.",
        "Tokens that the base never saw have rows in a frozen matrix.",
        "Train these rows: trainable_token_indices.",
        ("huggingface/sentence-transformers#3980",), 2, untrained_rows,
    ),
    Case(
        "another-tokenizer", 3, "The answers are noise, or an index is out of range.",
        "The tokenizer is not the one that the model was trained with.",
        "Load tokenizer and model from one folder; resize the matrix only for tokens that you train.",
        ("huggingface/peft#1678",), 2, tokenizer,
    ),
)  # fmt: skip
