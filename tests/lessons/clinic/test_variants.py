"""The variants: three and more of every case, all in the kept table, and each way of making them sick and well."""

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from lessons.clinic.cases import CASES
from lessons.clinic.examination import measure
from lessons.clinic.table import first_looks, judged, variant_row
from lessons.clinic.variants import VARIANTS, Variant

KEPT = json.loads((resources.files("lessons") / "results" / "clinic.json").read_text(encoding="utf-8"))
SMALL = [variant for variant in VARIANTS if not variant.name.startswith("base")]
QUICK = [next(variant for variant in reversed(SMALL) if variant.case == name) for name in CASES if name != "diverged"]


def test_every_case_has_three_and_each_another_name():
    counts = Counter(variant.case for variant in VARIANTS)

    assert set(counts) == set(CASES)
    assert min(counts.values()) >= 3
    assert len({(variant.case, variant.name) for variant in VARIANTS}) == len(VARIANTS)


def test_the_kept_table_has_them_all_named_and_repaired():
    kept = KEPT["variants"]

    assert [(row["case"], row["variant"]) for row in kept] == [(v.case, v.name) for v in VARIANTS]
    assert all(row["found"] and row["named"] and row["repaired"] for row in kept)
    assert not all(row["first_look"] for row in kept)


def test_every_case_was_named_at_the_first_look_in_three_of_them():
    """Variants for which a check was mended are no longer ones that its author did not know."""
    named = Counter(row["case"] for row in KEPT["variants"] if row["first_look"])

    assert [name for name in CASES if named[name] < 3] == []


@pytest.mark.slow
@pytest.mark.parametrize("variant", QUICK, ids=lambda variant: f"{variant.case}, {variant.name}")
def test_it_is_named_and_silent_once_repaired(variant: Variant, tmp_path: Path):
    sick, well = (measure(**settings) for settings in variant.make(tmp_path))

    made = judged(variant.case, sick, well)
    assert made["named"], [m.says for m in sick if m.name == variant.case]
    assert made["repaired"], [m.says for m in well if m.sick]


def test_a_first_look_is_carried_and_a_new_one_is_what_is_found(tmp_path: Path):
    variant = next(v for v in VARIANTS if v.case == "mask-of-zeros" and v.name.startswith("transformers"))
    key = (variant.case, variant.name)

    assert variant_row(variant, tmp_path, {key: False})["first_look"] is False
    assert variant_row(variant, tmp_path, {})["first_look"] is True
    assert first_looks()[key] is True
    assert first_looks(tmp_path / "none.json") == {}
