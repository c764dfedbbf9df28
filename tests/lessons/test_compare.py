"""The main job: rows in processes of their own, measured the same way, kept when it is interrupted."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lessons.compare import command as compare
from lessons.compare import processes as row_processes
from lessons.compare.command import main, parse, row_settings
from lessons.compare.processes import RowProcesses, progress_bars, read_row
from lessons.compare.row import RowSetting, run_row
from lessons.task.base import load_base
from peft import RECIPES
from transformer.learning.checkpoint import write_json

SMALL = ["--steps", "2", "--test-words", "5"]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    assert main(["--methods", "bitfit", *SMALL, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(autouse=True, scope="module")
def known_learning_rates() -> Iterator[None]:
    """Fixed ones, that a new search does not change; this one is so high that two steps wreck the model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "rate_of", lambda method: 0.3 if method == "bitfit" else 3e-3)
        yield


def test_a_run_leaves_report_figures_page_and_adapters(small_run: Path):
    (row,) = json.loads((small_run / "report.json").read_text())["rows"]

    files = {file.name: file.stat().st_size for file in (small_run / "adapters" / "bitfit-0").iterdir()}
    assert row["method"] == "bitfit"
    assert len(list(small_run.glob("*.png"))) >= 4
    assert (small_run / "report.html").stat().st_size > 100_000
    assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert row["adapter_bytes"] == sum(files.values())


def test_a_disabled_adapter_gives_the_base_to_the_last_digit(small_run: Path):
    report = json.loads((small_run / "report.json").read_text())

    (row,) = report["rows"]
    assert row["american"] != report["base"]["american"]
    assert row["american_disabled"] == report["base"]["american"]


def test_a_row_counts_what_it_trains(small_run: Path):
    (row,) = json.loads((small_run / "report.json").read_text())["rows"]

    biases = sum(p.numel() for name, p in load_base().named_parameters() if name.endswith("bias"))
    assert row["trained_rows"] == 128
    assert row["trainable_parameters"] == biases + 128
    assert 50e6 < row["peak_memory_bytes"] < 8e9


def test_resuming_trains_nothing_that_is_done(small_run: Path, monkeypatch: pytest.MonkeyPatch):
    def never(*anything: Any) -> None:
        raise RuntimeError("a process was started")

    monkeypatch.setattr(row_processes.subprocess, "Popen", never)

    assert main(["--methods", "bitfit", *SMALL, "--resume", "--out", str(small_run)]) == 0


def test_rows_of_another_setting_are_not_taken(small_run: Path):
    def found(*arguments: str) -> list[bool]:
        """For the base and for bitfit."""
        settings = row_settings(parse(["--methods", "bitfit", *arguments]))
        return [read_row(setting, small_run) is not None for setting in settings]

    assert found("--steps", "2", "--test-words", "5") == [True, True]
    assert found("--steps", "3", "--test-words", "5") == [True, False]
    assert found("--steps", "2", "--test-words", "6") == [False, False]


def test_every_technique_of_the_registry_has_a_row_and_scratch_is_the_last():
    settings = row_settings(parse(["--quick", "--seeds", "2"]))

    methods = [setting.method for setting in settings]
    assert methods == ["base", *RECIPES, "scratch", *RECIPES, "scratch"]
    assert {setting.seed for setting in settings} == {0, 1}


def test_scratch_has_no_adapter_to_switch_off(tmp_path: Path):
    setting = RowSetting("scratch", 0, steps=1, learning_rate=1e-3, test_words=2, train_words=20, base="")

    row = run_row(setting, tmp_path)

    assert row["american_disabled"] is None
    assert row["trainable_percent"] == 100


def fake_row_process(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is this program instead, which finds its setting and its folder in sys.argv."""
    start = subprocess.Popen
    monkeypatch.setattr(
        row_processes.subprocess,
        "Popen",
        lambda command, **named: start([sys.executable, "-c", code, *command[3:]], **named),
    )


def settings_of(*methods: str) -> list[RowSetting]:
    return [RowSetting(method, 0, 2, 1e-3, 5, 20, "") for method in methods]


def test_a_crash_is_told_in_its_row_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_row_process("import sys; sys.exit('lora is broken' if 'lora' in sys.argv[1] else 0)", monkeypatch)
    (tmp_path / "logs").mkdir()
    broken, whole = settings_of("lora", "bitfit")
    write_json_row(whole, tmp_path)

    with progress_bars(quiet=True) as progress, RowProcesses(tmp_path, 2, progress).running() as processes:
        rows = {setting.method: row for setting, row in processes.run([broken, whole])}

    assert "lora is broken" in rows["lora"]["failed"]
    assert "failed" not in rows["bitfit"]


def test_leaving_early_ends_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    survived = tmp_path / "survived"
    code = "import sys, time, pathlib; 'lora' in sys.argv[1] and (time.sleep(5), pathlib.Path({!r}).touch())"
    fake_row_process(code.format(str(survived)), monkeypatch)
    (tmp_path / "logs").mkdir()
    slow, quick = settings_of("lora", "bitfit")
    write_json_row(quick, tmp_path)

    with progress_bars(quiet=True) as progress, RowProcesses(tmp_path, 2, progress).running() as processes:
        done, _ = next(processes.run([slow, quick]))

    assert done == quick
    assert not survived.exists()


def write_json_row(setting: RowSetting, folder: Path) -> None:
    (folder / "rows").mkdir(exist_ok=True)
    write_json(folder / "rows" / f"{setting.name}.json", {"method": setting.method, "seed": setting.seed})


@pytest.mark.parametrize("arguments", [["--methods", "lorra"], ["--methods", "lora", "--test-words", "99999"]])
def test_an_impossible_wish_names_what_there_is(arguments: list[str], tmp_path: Path):
    with pytest.raises(ValueError, match=r"there are full|99999 words asked for"):
        compare.main([*arguments, "--out", str(tmp_path)])
