"""The search of learning rates: every technique has one, and a stopped search goes on."""

import json
import warnings
from pathlib import Path

import pytest

from lessons.compare import search
from lessons.task.finetuning import learning_rates
from lessons.task.techniques import technique_names
from peft import RECIPES


def test_every_kept_learning_rate_is_a_techniques() -> None:
    """A technique that was not searched yet is named in a warning: it runs at the middle of its recipe's rates."""
    assert set(learning_rates()) <= set(technique_names())
    assert all(1e-5 < rate < 1 for rate in learning_rates().values())
    if missing := [name for name in technique_names() if name not in learning_rates()]:
        warnings.warn(f"no learning rate was searched for {', '.join(missing)}", stacklevel=1)


def test_the_best_rate_is_the_one_with_the_least_error() -> None:
    assert search.best_of({"0.001": 0.3, "0.01": 0.2, "0.1": 0.9}) == 0.01


def test_a_search_that_is_complete_tries_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "chosen_techniques", lambda wanted: ["lora"])
    tried = {str(rate): 0.5 - rate for rate in RECIPES["lora"].rates}
    file = tmp_path / "rates.json"
    file.write_text(json.dumps({"methods": {"lora": {"best": 1.0, "tried": tried}}}))
    assert search.main(["--file", str(file), "--jobs", "1"]) == 0
    assert json.loads(file.read_text())["methods"]["lora"]["tried"] == tried
