"""Hugging Face PEFT's comparison beside ours: the kept lines are theirs, and what agrees is computed."""

import pytest

from lessons.compare.beside_hf import THEIRS, agreements, both, gain_of_a_rate, lines_of, load_hf, rank_agreement, ranks
from lessons.compare.kept import kept_report
from tests.tools import hf_method_comparison


def test_the_kept_lines_say_whose_they_are() -> None:
    kept = load_hf()

    assert kept["licence"] == "Apache-2.0"
    assert len(kept["commit"]) == 40
    assert len(kept["rows"]) >= 62
    assert {row["seed"] for row in kept["rows"]} == {0}
    assert all(0 <= row["accuracy"] <= 1 and row["memory_bytes"] > 1e9 for row in kept["rows"])
    assert {row["accuracy"] for row in kept["rows"] if row["method"] == "ln_tuning"} == {0.0}


def test_every_technique_of_the_table_is_found() -> None:
    assert all(lines_of(method) for method in THEIRS)
    assert {row["experiment"] for row in lines_of("dora")} == {"llama-3.2-3B-rank32-dora"}
    assert len(lines_of("lora")) == 3
    assert gain_of_a_rate("prompt_tuning")[0] < gain_of_a_rate("prompt_tuning")[1]


def test_ranks_and_their_agreement() -> None:
    rows = both(kept_report())

    assert ranks([0.3, 0.1, 0.3, 0.2]) == [3.5, 1, 3.5, 2]
    assert -1 <= rank_agreement(rows) <= 1
    same = [row._replace(word_error=1 - row.theirs["accuracy"]) for row in rows]
    assert rank_agreement(same) == pytest.approx(1)
    assert rank_agreement([row._replace(word_error=row.theirs["accuracy"]) for row in rows]) == pytest.approx(-1)


def test_what_agrees_is_computed_from_both() -> None:
    report = kept_report()
    assert agreements(report)["LoRA is at least as good as full fine-tuning"][1]

    worse = [row | {"british": {"word_error": 0.99}} if row["method"] == "lora" else row for row in report["rows"]]
    assert agreements(report | {"rows": worse})["LoRA is at least as good as full fine-tuning"] == (False, True)


def test_a_result_becomes_one_line() -> None:
    metrics = [{"test accuracy": 0.1}, {"test accuracy": 0.4783927, "forgetting": 0.0499557}]
    trained = {"metrics": metrics, "accelerator_memory_max": 22, "train_time": 941.96, "num_trainable_params": 9}
    setting = {"optimizer_kwargs": {"lr": 1e-4}, "seed": 0}

    line = hf_method_comparison.small("lora--a--b.json", {"train_info": trained, "run_info": {"train_config": setting}})

    assert line == {
        "method": "lora", "experiment": "a--b", "accuracy": 0.47839, "forgetting": 0.04996, "memory_bytes": 22,
        "seconds": 942, "trainable_parameters": 9, "rate": 1e-4, "seed": 0,
    }  # fmt: skip
