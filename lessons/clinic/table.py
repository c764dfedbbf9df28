"""The table: every case on the base, found, named and repaired; and healthy runs of every technique, silent or not.

python -m lessons clinic --table FILE
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lessons.clinic.case import GROUPS, Case, Settings
from lessons.clinic.cases import CASES
from lessons.clinic.diagnose import diagnose, measure
from lessons.clinic.world import World, pronunciation
from lessons.language.choice import ENGLISH, speaking
from lessons.task.finetuning import adapted, prepared_base, rate_of
from lessons.task.shipped import by_accent
from peft import RECIPES, PeftModel, recipe
from transformer.learning.checkpoint import write_json


def row(case: Case, world: World) -> dict[str, Any]:
    """What was measured when sick and when repaired, and whether the diagnosis says so."""
    torch.manual_seed(0)
    sick, well = case.make(world)
    found, after = diagnose(**sick), diagnose(**well)
    return {
        "case": case.name,
        "group": GROUPS[case.group - 1],
        "found": bool(found),
        "named": case.name in [finding.name for finding in found],
        "also": sorted({finding.name for finding in found} - {case.name}),
        "repaired": not after,
        **told("before", sick, case.name),
        **told("after", well, case.name),
    }


def told(when: str, settings: Settings, name: str) -> dict[str, Any]:
    """The measurement in words and as a number; the sick one where there are several, nothing where none is taken."""
    found = sorted((m for m in measure(**settings) if m.name == name), key=lambda m: m.sick)
    says, number = (found[-1].says, float(found[-1].number)) if found else ("", None)
    return {when: says, f"{when}_number": number}


def healthy(world: World) -> Iterator[tuple[str, Settings]]:
    """Every shipped adapter in use, and every technique at the start of its training."""
    for method, folder in by_accent()["british"].items():
        model = PeftModel.from_pretrained(prepared_base(method, world.base()), folder)
        yield (
            f"{method}, in use",
            {"model": model, "batches": world.batches, "folder": folder, "held_out": world.other[:0]},
        )
    for method in RECIPES:
        model = adapted(method).train()
        groups = recipe(method).groups(model, rate_of(method), 0.0)
        yield (
            f"{method}, in training",
            {"model": model, "batches": world.batches, "optimizer": torch.optim.AdamW(groups)},
        )


def make_table(file: Path) -> dict[str, Any]:
    """Measures everything and writes it; what is there is kept after every row."""
    world = pronunciation()
    table: dict[str, Any] = {"command": "python -m lessons clinic --table", "cases": [], "healthy": []}
    for name, settings in healthy(world):
        with speaking(ENGLISH):  # what is kept has one language
            table["healthy"].append({"run": name, "findings": [str(finding) for finding in diagnose(**settings)]})
        write_json(file, table)
    for case in CASES.values():
        if not case.causal:
            table["cases"].append(row(case, world))
            write_json(file, table)
    return table
