"""Adapters on all words: which are made, how they are stored, and that a stopped making goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lessons.compare import all_words, long_training
from lessons.compare.report import make_report
from lessons.task import shipped
from lessons.task.base import base_hash, load_base
from lessons.task.finetuning import adapted, prepared_base
from peft import PeftModel
from tests.lessons import fake_rows

ERROR = {"phoneme_error": 0.1, "word_error": 0.3}


def test_the_best_other_technique_is_no_kin_of_lora_and_smaller_than_the_base() -> None:
    """The made-up errors grow in the order of the tables: full is the least, then bitfit."""
    report = make_report(fake_rows.rows(seeds=2), fake_rows.run())
    assert long_training.best_other(report) == "bitfit"

    of_lora = make_report(fake_rows.rows(("full", "rslora", "qlora", "pill", "vera", "scratch")), fake_rows.run())
    assert long_training.best_other(of_lora) == "pill"


@pytest.mark.parametrize(("limit", "stored"), [(10, "float16"), (10**9, "float32")])
def test_a_large_adapter_is_stored_in_16_bits(
    limit: int, stored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_training, "HALVED", limit)
    model = adapted("lora", base=load_base())

    assert long_training.store(model, tmp_path) == stored

    read = PeftModel.from_pretrained(prepared_base("lora", load_base()), tmp_path)
    own, kept = (m.adapters["default"].own_parameters() for m in (model, read))
    assert all(torch.allclose(own[name], kept[name], rtol=1e-3, atol=1e-7) for name in own)
    size = (tmp_path / "adapter_model.safetensors").stat().st_size
    assert size < (2.2 if stored == "float16" else 4.2) * sum(tensor.numel() for tensor in own.values())


@pytest.mark.parametrize("method", shipped.on_all_words())
def test_the_shipped_ones_were_searched_inside_and_under_the_setting_of_today(method: str) -> None:
    kept = json.loads((shipped.on_all_words()[method] / "rates.json").read_text())["methods"][method]

    assert kept["setting"] == long_training.setting_of(method, kept["setting"]["steps"])
    assert min(map(float, kept["tried"])) < kept["best"] < max(map(float, kept["tried"]))


@pytest.mark.slow
def test_a_making_searches_trains_larger_and_writes_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def climb(kept: Any, measure: Any, jobs: int) -> None:
        for rate, error in ((1e-3, 0.3), (3e-3, 0.2), (1e-2, 0.4)):
            kept.add("lora", rate, 0, error)
        asked["search"] = measure.keywords["steps"]

    def train(model: Any, examples: Any, config: Any, checkpoint: Path, quiet: bool, groups: Any) -> tuple[list, float]:
        asked.update(rate=config.learning_rate, steps=config.steps, words=len(examples), checkpoint=checkpoint)
        return [], float("nan")

    monkeypatch.setattr(all_words, "climb", climb)
    monkeypatch.setattr(long_training, "train_visibly", train)
    monkeypatch.setattr(long_training, "predict", lambda model, chosen: {})
    monkeypatch.setattr(long_training, "error", lambda said, accent: ERROR)
    folders = ["--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs")]

    assert all_words.main(["--methods", "lora", "--steps", "7", "--search-steps", "2", *folders]) == 0

    card = json.loads((tmp_path / "out" / "lora" / "card.json").read_text())
    config = json.loads((tmp_path / "out" / "lora" / "adapter_config.json").read_text())
    assert (asked["search"], asked["rate"], asked["steps"]) == (2, 3e-3, 7)
    assert asked["words"] > 69_000
    assert base_hash() in str(asked["checkpoint"])
    assert (config["r"], config["lora_alpha"]) == (32, 64)
    assert (card["base"], card["british"], card["stored"], card["seconds"]) == (base_hash(), ERROR, "float16", None)
    with pytest.raises(ValueError, match=r"lora searched with steps 2, and this search has steps 3; --anew"):
        all_words.main(["--methods", "lora", "--search-steps", "3", *folders])
