"""Probes of lessons 8 and 9."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from lessons.exercises.probes.models import random_model
from transformer.learning import batching, loss, schedule, texts
from transformer.learning import training as trainer


def label_smoothed_cross_entropy(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    vocab = draw.size(5, 12)
    logits, target = draw.normal(3, 4, vocab, grad=True), draw.ids(1, vocab - 1, 3, 4)
    pad_id = 1  # and 0, the default, is a token like others
    target = target.where(target != pad_id, 2)
    target[0, :2], target[1, 0] = pad_id, 0
    function, ask = loss.label_smoothed_cross_entropy, {"pad_id": pad_id}
    smoothed = function(logits, target, draw.uniform(0.05, 0.6), never=(vocab - 1, pad_id), **ask)
    plain = function(logits, target, **ask)
    found = {"the smoothed loss": smoothed, "the mean": plain}
    found["the sum"] = function(logits, target, reduction="sum", **ask)
    refused = {
        "a smoothing of 1": ((logits, target, 1.0), ask),
        "an unknown reduction": ((logits, target), ask | {"reduction": "median"}),
        "an id outside the vocabulary": ((logits, target + vocab), ask),
        "nothing but padding": ((logits, torch.full_like(target, pad_id)), ask),
    }
    for what, (arguments, named) in refused.items():
        found[f"the kind of error for {what}"] = refusal(function, *arguments, **named)
    return found | gradients(smoothed + plain, logits=logits)


def collate(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    pairs = [(row(draw), row(draw)) for _ in range(draw.size(1, 4))]
    pairs += [([3, 2], [3, 2]), ([2], [3, 4, 5, 6, 7, 8, 2])]  # rows of unequal length
    batch = batching.collate(pairs, pad_id=draw.size(50, 60), bos_id=draw.size(0, 1))
    return {"source": batch.source, "inputs": batch.inputs, "labels": batch.labels}


def row(draw: Draw) -> list[int]:
    return [*draw.ids(3, 40, draw.size(0, 6)).tolist(), 2]


def learnt_tokens(seed: int) -> dict[str, Tensor]:
    """Rows of one, two and three texts, and a row for each; what is padding elsewhere is an id that may be learnt."""
    draw, found = Draw(seed), {}
    pad_id = draw.size(1, 9)
    for name, counts in {"in pairs": (1, 2), "packed": (1, 3, 2), "alone": (1, 1, 1)}.items():
        rows = [[part_learnt(draw) for _ in range(count)] for count in counts]
        rows[0][0] = ([*rows[0][0][0], pad_id], [*rows[0][0][1], True])
        batch = texts.text_batch(rows, pad_id)
        found |= {f"{name}: source": batch.source, f"{name}: before": batch.before, f"{name}: labels": batch.labels}
        found[f"{name}: documents"] = torch.zeros(0) if batch.documents is None else batch.documents
    return found


def part_learnt(draw: Draw) -> texts.Text:
    length = draw.size(2, 7)
    return draw.ids(1, 40, length).tolist(), [False, *draw.coin(length - 1).tolist()]


def noam_schedule(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, warmup = draw.size(16, 1024), draw.size(5, 50)
    rates = [schedule.noam_schedule(step, d_model, warmup) for step in range(1, 120, 7)]
    return {"the rates": torch.tensor(rates, dtype=torch.float64)}


def parameter_groups(seed: int) -> dict[str, Tensor]:
    """How many numbers fall under which decay and rate."""
    draw = Draw(seed)
    model = random_model(draw)
    for parameter in model.parameters():
        parameter.requires_grad_(bool(draw.coin(1, heads=0.6)))
    model.decoder.requires_grad_(True)
    rate, decay = draw.uniform(0.001, 0.1), draw.uniform(0.01, 0.2)
    groups = trainer.parameter_groups(model, rate, decay)
    rows = [[sum(p.numel() for p in g["params"]), g["lr"], g["weight_decay"]] for g in groups]
    sums = [sum(float(p.detach().sum()) for p in group["params"]) for group in groups]
    order = sorted(range(len(rows)), key=lambda index: rows[index][2])
    table = [[*rows[index], sums[index]] for index in order]
    columns = zip(*table, strict=True)
    names = ("how many numbers each group holds", "lr, the learning rate of each group", "the decay of each group")
    found = {
        name: torch.tensor(column, dtype=torch.float64)
        for name, column in zip((*names, "the sum of each group's numbers"), columns, strict=True)
    }
    for parameter in model.parameters():
        parameter.requires_grad_(parameter.dim() < 2)
    found["the number of groups of vectors alone"] = torch.tensor(len(trainer.parameter_groups(model, rate, decay)))
    model.requires_grad_(False)
    return found | {"the kind of error for a frozen model": refusal(trainer.parameter_groups, model, rate, decay)}
