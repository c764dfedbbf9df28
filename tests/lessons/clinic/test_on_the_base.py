"""Illnesses that need a base which was trained: on the shipped one, with three techniques each."""

import json
from importlib import resources

import pytest

from lessons.clinic import table
from lessons.clinic.cases import CASES
from lessons.clinic.table import row
from lessons.clinic.world import pronunciation
from transformer.learning.formats import read_object


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "dora", "adapter_houlsby"])
@pytest.mark.parametrize("name", ["new-rows-untrained", "diverged"])
def test_it_is_named_with_three_techniques(name: str, method: str):
    found = row(CASES[name], pronunciation(method))

    assert found["named"]
    assert found["repaired"]


@pytest.mark.slow
def test_forgetting_is_named_and_repaired():
    found = row(CASES["forgetting"], pronunciation())

    assert found["named"]
    assert found["repaired"]


def test_the_kept_table_has_every_case_named_and_every_healthy_run_silent():
    kept = json.loads((resources.files("lessons") / "results" / "clinic.json").read_text(encoding="utf-8"))

    assert {made["case"] for made in kept["cases"]} == set(CASES)
    assert all(made["found"] and made["named"] and made["repaired"] for made in kept["cases"])
    assert len(kept["healthy"]) >= 40
    assert not [run for run in kept["healthy"] if run["findings"]]


@pytest.mark.parametrize("place", [None, "SmolLM2"])
def test_the_rows_that_need_the_language_model_stay_where_there_is_none(place, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "CASES", {name: CASES[name] for name in ("merged-twice", "pad-is-eos")})
    monkeypatch.setattr(table, "VARIANTS", [])
    monkeypatch.setattr(table, "healthy", lambda world: [])
    monkeypatch.setattr(table, "pronunciation", lambda: "the base")
    monkeypatch.setattr(table, "row", lambda case, world: {"case": case.name, "measured on": world})
    kept = next(made for made in read_object(table.KEPT)["cases"] if made["case"] == "pad-is-eos")

    made = table.make_table(tmp_path / "table.json", place)

    assert made["cases"][0] == {"case": "merged-twice", "measured on": "the base"}
    assert made["cases"][1] == ({"case": "pad-is-eos", "measured on": place} if place else kept)
    assert read_object(tmp_path / "table.json") == made
