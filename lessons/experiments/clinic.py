"""Lesson 31's example by hand, its two live illnesses, the table of symptoms, and the kept table of all cases."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.case import GROUPS
from lessons.clinic.cases import CASES
from lessons.clinic.checks import accumulation, diverged, forgetting, four_bits, merge, order, rows, shift
from lessons.clinic.reading import logits_of, read, token_losses
from lessons.clinic.world import Example, World, examples
from lessons.compare.study_rows import RESULTS
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, kept_claim
from transformer.learning.formats import read_object

W = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
A, B, SCALE = torch.tensor([[0.5, -0.5]]), torch.tensor([[1.0], [0.5]]), 2.0
UPDATE = SCALE * B @ A
X = torch.tensor([2.0, 1.0])
LONG, SHORT = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([3.0])
"""The example by hand: a matrix, an adapter of rank 1 with α/r = 2, and the losses of the tokens of two batches."""

TIMES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
FACTORS = {
    "merged-nothing": merge.NOTHING,
    "merged-without-scale": 1 - merge.NEAR,
    "merged-twice": merge.TWICE,
    "accumulation-by-batches": 1 - accumulation.MOST,
    "accumulation-keeps-the-last": 1 - accumulation.MOST,
    "accumulation-undivided": 4 / 3,  # of two batches: from here on half of it is nearer to 1 than the whole
}
SHARES = {
    "rows-permuted": order.MOST,
    "merged-into-other-weights": merge.SHARE,
    "quantized-again": merge.SHARE,
    "quantized-twice": four_bits.MOST,
    "adapter-not-loaded": 0.0,
    "optimizer-before-adapter": 0.0,
    "test-in-training": 0.0,
    "fp16-overflow": 0.0,
    "labels-not-shifted": shift.MOST,
    "labels-shifted-twice": shift.MOST,
    "loss-over-padding": 0.0,
    "eos-masked": 0.0,
}
NATS = {
    "forgetting": forgetting.MOST,
    "diverged": diverged.MOST,
    "new-rows-untrained": math.log(len(vocabulary())) + rows.ABOVE,
}
"""Case → the limit of its check, which parts what is sick from what is not."""


def times_in(weight: Tensor) -> float:
    """k in weight = W + k ΔW, of the example by hand."""
    return float(((weight - W) * UPDATE).sum() / UPDATE.square().sum())


def merged_times(world: World, times: float) -> nn.Module:
    """The tuned model in one piece, its update written `times` times; trained rows of tokens go along as they are."""
    model = world.tuned()
    layers: list[Any] = [module for module in model.modules() if hasattr(module, "lora_A")]
    for layer in layers:
        layer.scaling *= times
    return model.merge_and_unload().eval()


def errors_over_times(world: World, british: Sequence[str], times: Sequence[float] = TIMES) -> dict[float, float]:
    """How often the update stands in the weights → British phoneme error in per cent."""
    return {k: british_error(merged_times(world, k), british) for k in times}


def british_error(model: nn.Module, british: Sequence[str]) -> float:
    return 100 * evaluate(model, british, "british").phoneme_error


def with_all_words(world: World, size: int = 50) -> World:
    """The same with batches of all 1,000 British words."""
    found = pairs("british", fine_tuning_words("british"))
    shape = world.base().config
    sizes = [size] * (len(found) // size)
    return replace(world, batches=examples(found, shape.pad_id, shape.bos_id, sizes))


def learnt(world: World, batches: Sequence[Example], steps: int) -> tuple[nn.Module, list[float]]:
    """A new adapter trained on these batches in turn, and the loss of each step as the loop sees it."""
    model, losses = world.fresh(), []
    optimizer, shape = world.optimizer(model), model.config
    for step in range(steps):
        reading = read(batches[step % len(batches)], world.causal, shape.pad_id, shape.eos_id)
        loss = token_losses(logits_of(model, reading, False), reading.labels).sum() / reading.counted.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


def symptoms() -> list[list[str]]:
    """What one sees, and the case to look at, the lines of a table; made from the cases."""
    lines = [["What one sees", "case", "reported", "lesson"]]
    for number, group in enumerate(GROUPS, start=1):
        lines.append([f"**{group}**", "", "", ""])
        for case in (case for case in CASES.values() if case.group == number):
            reports = ", ".join(f"[{place}]({link})" for place, link in zip(case.threads, case.links, strict=True))
            lines.append([case.symptom, f"`{case.name}`", reports, str(case.lesson)])
    return lines


def kept_table() -> dict[str, Any]:
    """`python -m lessons clinic --table lessons/results/clinic.json`."""
    return read_object(RESULTS / "clinic.json")


def kept_numbers(limits: Mapping[str, float]) -> dict[str, tuple[float, float | None, float]]:
    """Case → its number when sick, when repaired (None where the check has nothing left to look at), and the limit."""
    found = {row["case"]: row for row in kept_table()["cases"]}
    return {name: (found[name]["before_number"], found[name]["after_number"], x) for name, x in limits.items()}


@kept_claim
def illnesses_in_the_table() -> Values:
    """How many are named, silent after the repair, and how many healthy runs are not accused."""
    table = kept_table()
    cases, healthy = table["cases"], table["healthy"]
    numbers = kept_numbers({**FACTORS, **SHARES, **NATS})
    values = {
        "cases": len(cases),
        "named": sum(row["named"] for row in cases),
        "repaired": sum(row["repaired"] for row in cases),
        "alone": sum(row["named"] and not row["also"] for row in cases),
        "healthy": len(healthy),
        "silent": sum(not run["findings"] for run in healthy),
        "shown": len(numbers),
        "causal": sum(case.causal for case in CASES.values()),
        "variants": len(table["variants"]),
        "variants_named": sum(row["named"] and row["repaired"] for row in table["variants"]),
        "first_look": sum(row["first_look"] for row in table["variants"]),
    }
    claim(values["cases"] == len(CASES), "the table holds every case", **values)
    claim(values["named"] == values["repaired"] == values["cases"], "every case is named and repaired", **values)
    claim(values["variants_named"] == values["variants"], "every variant is named and repaired", **values)
    claim(values["first_look"] < values["variants"], "some went past the checks at first", **values)
    claim(values["silent"] == values["healthy"], "no healthy run is accused", **values)
    for name, (sick, repaired, limit) in numbers.items():
        parted = repaired is None or (sick > limit) != (repaired > limit)
        claim(parted, f"{name}: the limit parts sick from repaired", sick=sick, limit=limit)
    return values
