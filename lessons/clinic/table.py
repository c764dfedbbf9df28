"""The table: every case and its variants, found, named and repaired; healthy runs of every technique, silent or not.

A case is made on the base, and one that needs a text on SmolLM2.

python -m lessons clinic --table FILE

A variant was written after the checks. What they made of it then, before any of them was mended, is its `first_look`, and is
carried from table to table.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lessons.clinic.case import GROUPS, Case, Settings
from lessons.clinic.cases import CASES
from lessons.clinic.examination import diagnose, measure, numbers
from lessons.clinic.measurement import Measurement
from lessons.clinic.variants import VARIANTS, Variant
from lessons.clinic.world import World, pronunciation
from lessons.compare.study_rows import RESULTS
from lessons.language.choice import ENGLISH, speaking
from lessons.task.finetuning import adapted, prepared_base, rate_of
from lessons.task.shipped import by_accent
from peft import RECIPES, PeftModel, recipe
from transformer.learning.formats import read_object, write_json

KEPT = RESULTS / "clinic.json"
FirstLooks = dict[tuple[str, str], bool]


def row(case: Case, world: World) -> dict[str, Any]:
    """What was measured when sick and when repaired, and whether the diagnosis says so."""
    torch.manual_seed(0)
    sick, well = (measure(**settings) for settings in case.make(world))
    return {
        "case": case.name,
        "group": GROUPS[case.group - 1],
        **judged(case.name, sick, well),
        **told("before", sick, case.name),
        **told("after", well, case.name),
    }


def judged(name: str, sick: list[Measurement], well: list[Measurement]) -> dict[str, Any]:
    """`found`: something is; `named`: by this name; `repaired`: afterwards nothing is."""
    names = {measurement.name for measurement in sick if measurement.sick}
    return {
        "found": bool(names),
        "named": name in names,
        "also": sorted(names - {name}),
        "repaired": not any(measurement.sick for measurement in well),
    }


def told(when: str, measurements: list[Measurement], name: str) -> dict[str, Any]:
    """The measurement in words and as a number; the sick one where there are several, nothing where none is taken."""
    found = sorted(numbers(measurements, name), key=lambda m: m.sick)
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


def variant_row(variant: Variant, folder: Path, looks: FirstLooks) -> dict[str, Any]:
    """`first_look`: whether it was named, and silent once repaired, before a check was mended for it."""
    torch.manual_seed(0)
    made = judged(variant.case, *(measure(**settings) for settings in variant.make(folder)))
    now = made["named"] and made["repaired"]
    first_look = looks.get((variant.case, variant.name), now)
    return {"case": variant.case, "variant": variant.name, **made, "first_look": first_look}


def first_looks(file: Path = KEPT) -> FirstLooks:
    """What is kept of them, by case and variant."""
    kept = read_object(file).get("variants", []) if file.is_file() else []
    return {(row["case"], row["variant"]): row["first_look"] for row in kept}


def make_table(file: Path, speaking_world: World | None) -> dict[str, Any]:
    """Measures everything and writes it; what is there is kept after every row.

    `speaking_world`   where the cases about tokens are made; without one the rows that are kept of them stay
    """
    world, looks = pronunciation(), first_looks()
    kept = {row["case"]: row for row in read_object(KEPT)["cases"]} if KEPT.is_file() else {}
    table: dict[str, Any] = {"command": "python -m lessons clinic --table", "cases": [], "variants": [], "healthy": []}
    for name, settings in healthy(world):
        with speaking(ENGLISH):  # what is kept has one language
            table["healthy"].append({"run": name, "findings": [str(finding) for finding in diagnose(**settings)]})
        write_json(file, table)
    for case in CASES.values():
        place = speaking_world if case.causal else world
        if place:
            table["cases"].append(row(case, place))
        elif case.name in kept:
            table["cases"].append(kept[case.name])
        write_json(file, table)
    with tempfile.TemporaryDirectory() as folder:
        for variant in VARIANTS:
            table["variants"].append(variant_row(variant, Path(folder), looks))
            write_json(file, table)
    return table


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """How many there are, and of how many each holds."""
    return {"rows": len(rows)} | {key: sum(bool(row[key]) for row in rows) for key in ("found", "named", "repaired")}
