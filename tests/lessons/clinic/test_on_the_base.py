"""Illnesses that need a base which was trained: on the shipped one, with three techniques each."""

import json
from importlib import resources

import pytest

from lessons.clinic.cases import CASES
from lessons.clinic.table import row
from lessons.clinic.world import pronunciation


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
    table = json.loads((resources.files("lessons") / "results" / "clinic.json").read_text(encoding="utf-8"))

    assert {made["case"] for made in table["cases"]} == {name for name, case in CASES.items() if not case.causal}
    assert all(made["found"] and made["named"] and made["repaired"] for made in table["cases"])
    assert len(table["healthy"]) >= 40
    assert not [run for run in table["healthy"] if run["findings"]]
