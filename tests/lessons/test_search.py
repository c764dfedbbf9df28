"""The search of learning rates: every technique has one, and a stopped search goes on."""

import json
from pathlib import Path

import pytest

from lessons.compare import search
from lessons.task.finetuning import learning_rates
from peft import RECIPES


def test_every_technique_has_a_learning_rate() -> None:
    assert set(learning_rates()) == {*RECIPES, "scratch"}
    assert all(1e-5 < rate < 1 for rate in learning_rates().values())


def test_the_best_rate_is_the_one_with_the_least_error() -> None:
    assert search.best_of({"0.001": 0.3, "0.01": 0.2, "0.1": 0.9}) == 0.01


def test_a_search_that_is_complete_tries_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {str(rate): 0.5 - rate for rate in search.rates_for("lora")}
    file = tmp_path / "rates.json"
    file.write_text(json.dumps({"methods": {"lora": {"best": 1.0, "tried": tried}}}))
    monkeypatch.setattr(search, "RECIPES", {"lora": RECIPES["lora"]})
    monkeypatch.setattr(search, "SCRATCH", "lora")
    assert search.main(["--file", str(file), "--jobs", "1"]) == 0
    assert json.loads(file.read_text())["methods"]["lora"]["tried"] == tried
