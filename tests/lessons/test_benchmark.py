"""The benchmark: small enough, never a stress mark, and a run that was stopped ends like one that was not."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from lessons.benchmark import command as benchmark
from lessons.task.dictionary import vocabulary, words
from lessons.task.pretrain import base_config
from transformer import Transformer, load_model

FEW = 12


@pytest.fixture(autouse=True)
def few_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "words", lambda accent, part, limit=None: words(accent, part, limit=FEW))
    monkeypatch.setattr(benchmark, "EVALUATE_EVERY", 2)


def run(folder: Path, *more: str) -> dict:
    assert benchmark.main(["cmudict", "--steps", "3", "--threads", "1", "--out", str(folder), *more]) == 0
    return json.loads((folder / "cmudict.json").read_text())


@pytest.mark.slow
def test_a_run_leaves_the_model_its_errors_its_curve_and_a_figure(tmp_path: Path) -> None:
    result = run(tmp_path, "--seed", "5")

    assert load_model(tmp_path).config == base_config()
    assert result["test"]["words"] == FEW
    assert result["seed"] == result["training"]["seed"] == 5
    assert [step for step, _ in result["development_curve"]] == [2, 3]
    assert result["seconds"] > 0
    assert result["command"] == "python -m lessons benchmark cmudict --steps 3 --seed 5"
    assert (tmp_path / "cmudict.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_is_smaller_than_a_million_and_a_half() -> None:
    assert sum(parameter.numel() for parameter in Transformer(base_config()).parameters()) <= 1_500_000


def test_the_model_is_never_taught_to_say_a_stress_mark() -> None:
    never = benchmark.training_config(100, 0, bf16=False).never

    assert {vocabulary().symbol_ids[mark] for mark in "ˈˌ"} <= set(never)


def test_the_kept_run_is_of_this_training_and_the_help_says_its_errors() -> None:
    kept = json.loads((Path(benchmark.__file__).parents[1] / "results" / "cmudict.json").read_text(encoding="utf-8"))
    wanted = asdict(benchmark.training_config(benchmark.STEPS, kept["seed"], bf16=True))

    for name, value in kept["training"].items():
        assert value == (list(wanted[name]) if isinstance(wanted[name], tuple) else wanted[name]), name
    said = [f"{100 * kept[part]['word_error']:.1f} % of" for part in ("test", "learnt_words")]
    for sentence in (*said, f"phonetisaurus has {100 * kept['beside'][0]['word_error']:.1f} % on the same split"):
        assert sentence in benchmark.__doc__


@pytest.mark.slow
def test_a_folder_with_a_run_is_not_written_over(tmp_path: Path) -> None:
    run(tmp_path)

    with pytest.raises(ValueError, match="holds a run: --resume goes on with it"):
        run(tmp_path)


@pytest.mark.slow
def test_a_finished_run_that_is_resumed_says_the_same_again(tmp_path: Path) -> None:
    first = run(tmp_path)

    assert run(tmp_path, "--resume") == first


@pytest.mark.slow
def test_a_stopped_run_ends_like_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(tmp_path / "whole")
    config = benchmark.training_config

    def often(steps: int, seed: int, bf16: bool):
        return config(steps, seed, bf16).__class__(**{**vars(config(steps, seed, bf16)), "checkpoint_every": 1})

    def stop(step: int, *_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark, "training_config", often)
    with monkeypatch.context() as patch:
        patch.setattr(benchmark, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "stopped")
    resumed = run(tmp_path / "stopped", "--resume")

    assert resumed["loss_curve"] == whole["loss_curve"]
    assert resumed["development_curve"] == whole["development_curve"]
    for name, tensor in load_model(tmp_path / "whole").state_dict().items():
        assert torch.equal(tensor, load_model(tmp_path / "stopped").state_dict()[name])
