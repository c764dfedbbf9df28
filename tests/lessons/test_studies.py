"""Studies of LoRA and of prompts: each variant at the equal rate and at its own, kept, resumed, drawn."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib import pyplot as plt

from lessons.compare import lora_study, prompt_study, study, study_rows
from lessons.compare.ladder import best_inside, on_ladder, rung_of
from lessons.compare.study import Variant, run_study, trained
from lessons.compare.study_rows import KeptRows
from lessons.experiments.p_tuning_tasks import RATES, warm_prompt_losses, warm_prompt_rate
from lessons.task.base import base_hash, load_base
from lessons.task.dictionary import words
from lessons.task.scoring import moved, predict

EQUAL = {"lora": 1e-2}
TWO = {"a": Variant("lora", {"r": 1}), "b": Variant("lora", {"target_modules": ("fc1",)})}


def here(work: Any, measure: Any, jobs: int) -> None:
    """As `climb`, in this process, one run after another."""
    for name in work.names:
        while wanted := work.wanted(name):
            for rate, seed in wanted:
                work.add(name, rate, seed, measure(name, rate, seed))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float, int]]:
    """No training: variant a is best at 0.003, b at 0.01. The rows that were measured."""
    runs: list[tuple[str, float, int]] = []

    def search(name: str, rate: float, seed: int, variants: Any, steps: int) -> float:
        return float(abs(rung_of(rate) - rung_of({"a": 3e-3, "b": 1e-2}[name])))

    def row(name: str, rate: float, seed: int, variants: Any, steps: int, test_words: Any) -> dict[str, Any]:
        runs.append((name, rate, seed))
        return {
            "british": {"word_error": rate + seed / 1000},
            "american": {"word_error": 0.5},
            "trainable_parameters": 9,
        }

    monkeypatch.setattr(study, "climb", here)
    monkeypatch.setattr(study, "development_error", search)
    monkeypatch.setattr(study, "measure", row)
    return runs


def options(folder: Path, *arguments: str) -> Any:
    return study.parse(["--out", str(folder), "--seeds", "2", *arguments], "a_study", "")


def test_every_variant_is_measured_at_the_equal_rate_and_at_its_own(tmp_path: Path, measured: list) -> None:
    run_study(TWO, "a_study", EQUAL, options(tmp_path))

    kept = json.loads((tmp_path / "a_study.json").read_text())
    assert measured == [("a", 1e-2, 0), ("a", 1e-2, 1), ("a", 3e-3, 0), ("a", 3e-3, 1), ("b", 1e-2, 0), ("b", 1e-2, 1)]
    assert kept["own"] == {"a": 3e-3, "b": 1e-2}
    assert [(row["name"], row["rate"], row["seed"]) for row in kept["rows"]] == sorted(measured)
    assert study_rows.errors_at(kept["rows"], "a", 3e-3) == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("name", ["lora_study", "prompt_study", "sentiment_prompts"])
def test_no_kept_best_of_a_study_is_an_edge(name: str) -> None:
    searched = json.loads((study_rows.RESULTS / f"{name}_rates.json").read_text(encoding="utf-8"))["methods"]
    rows = json.loads((study_rows.RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]

    for variant, entry in searched.items():
        assert entry["best"] in {row["rate"] for row in rows if row["name"] == variant}
        rates = sorted(map(float, entry["tried"]))
        assert rates == on_ladder(rates)
        assert best_inside({rate: entry["tried"][f"{rate:g}"] for rate in rates}) == entry["best"]


@pytest.mark.parametrize("name", ["lora_study", "prompt_study", "amounts", "strength"])
def test_what_is_kept_was_measured_on_the_shipped_base(name: str) -> None:
    kept = json.loads((study_rows.RESULTS / f"{name}.json").read_text(encoding="utf-8"))

    assert kept.get("setting", kept)["base"] == base_hash()


def test_a_stopped_study_goes_on_and_another_setting_is_refused(tmp_path: Path, measured: list) -> None:
    run_study(TWO, "a_study", EQUAL, options(tmp_path))
    file = tmp_path / "a_study.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"rows": kept["rows"][:4]}))
    measured.clear()

    run_study(TWO, "a_study", EQUAL, options(tmp_path))

    assert measured == [("b", 1e-2, 0), ("b", 1e-2, 1)]
    assert json.loads(file.read_text()) == kept
    with pytest.raises(ValueError, match=r"a searched with steps 300, and this search has steps 9; --anew"):
        run_study(TWO, "a_study", EQUAL, options(tmp_path, "--steps", "9"))
    with pytest.raises(ValueError, match=r"test_words all, and .* test_words 7; --anew"):
        run_study(TWO, "a_study", EQUAL, options(tmp_path, "--test-words", "7"))


def test_a_row_that_failed_is_kept_and_counts_nowhere(tmp_path: Path) -> None:
    kept = KeptRows(tmp_path / "rows.json", {"setting": {}}, {"a": [0.1]}, 1)
    kept.begin(anew=False)
    kept.add("a", 0.1, 0, "ArithmeticError: the loss is nan")

    assert kept.wanted("a") == []
    assert study_rows.errors_at(kept.rows, "a", 0.1) == []


def test_a_prompt_in_place_leaves_every_letter_where_it_was() -> None:
    """Moved by five places on a base whose positions are moved back by five, the letters stand as before."""
    asked, base, back = words("british", "test", 20), load_base(), load_base()
    back.source_positions.table = back.source_positions.table.roll(5, dims=0)

    with moved(back, 5):
        assert predict(back, asked) == predict(base, asked)


def test_a_variant_is_trained_as_it_is_told_to() -> None:
    model = trained(Variant("prompt_tuning", {"num_virtual_tokens": 3}, back=3), 0.1, seed=0, steps=1)

    prompt = model.base_model.source_input.layers["default"].prompt_embeddings
    assert prompt.shape == (3, 128)
    assert torch.equal(model.base_model.source_positions.table, load_base().source_positions.table.roll(3, dims=0))


def test_the_variants_are_those_of_the_questions() -> None:
    asked = lora_study.variants()

    assert len(asked) == 10
    assert {name.split(",")[-1] for name in asked} == {f" rank {rank}" for rank in lora_study.RANKS}
    assert all(variant.changes["lora_alpha"] == 2 * variant.changes["r"] for variant in asked.values())
    assert len(prompt_study.variants()) == 12
    assert all(
        variant.back in (0, variant.changes["num_virtual_tokens"]) for variant in prompt_study.variants().values()
    )


def made_up(variants: dict[str, Variant], equal: dict[str, float]) -> dict[str, Any]:
    rows = [
        {
            "name": name, "rate": rate, "seed": seed, "trainable_parameters": 100,
            "british": {"word_error": 0.4 + seed / 100}, "american": {"word_error": 0.8},
        }
        for name in variants for rate in (1e-3, 3e-3) for seed in range(3)
    ]  # fmt: skip
    return {"equal": equal, "own": dict.fromkeys(variants, 1e-3), "rows": rows}


def test_both_are_drawn() -> None:
    lora = lora_study.draw_study(made_up(lora_study.variants(), {"lora": 3e-3}))
    prompts = prompt_study.draw_study(
        made_up(prompt_study.variants(), {"prompt_tuning": 3e-3, "p_tuning": 3e-3}), before=83.0
    )

    assert [len(axis.lines) > 1 for axis in lora.axes] == [True, True]
    assert {text.get_text() for text in prompts.legends[0].get_texts()} >= {"prompt, vocabulary, in place", "P-Tuning"}
    plt.close("all")


def test_the_warm_prompt_s_kept_rate_is_the_best_of_what_was_tried_and_no_edge() -> None:
    losses = warm_prompt_losses()

    assert sorted(losses) == sorted(RATES)
    assert min(RATES) < warm_prompt_rate() < max(RATES)
    assert losses[warm_prompt_rate()] == min(losses.values())
