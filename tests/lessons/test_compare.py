"""The main job: rows in processes of their own, measured the same way, kept when it is interrupted."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lessons.compare import processes as row_processes
from lessons.compare import settings
from lessons.compare.command import main
from lessons.compare.kept_rows import shape_of
from lessons.compare.processes import RowProcesses, read_row
from lessons.compare.row import RowSetting, run_row
from lessons.drawing.progress import progress_bars
from lessons.task.base import base_hash, load_base
from lessons.task.techniques import technique_names
from peft import RECIPES
from transformer.learning.formats import write_json

OTHERS = [name for name in technique_names() if name != "bitfit"]
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
        patch.setattr(settings, "learning_rates", lambda: {"bitfit": 0.3} | dict.fromkeys(OTHERS, 3e-3))
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


def asked(*arguments: str) -> list[RowSetting]:
    return settings.row_settings(settings.parse([*arguments], ""))


def test_rows_of_another_setting_are_not_taken(small_run: Path):
    def found(*arguments: str) -> list[bool]:
        """For the base and for bitfit."""
        rows = asked("--methods", "bitfit", *arguments)
        return [read_row(setting, small_run, shape_of(setting.method)) is not None for setting in rows]

    assert found("--steps", "2", "--test-words", "5") == [True, True]
    assert found("--steps", "3", "--test-words", "5") == [True, False]
    assert found("--steps", "2", "--test-words", "6") == [False, False]


def test_rows_of_another_base_are_told_and_not_taken(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(settings, "base_hash", lambda: "another")
    monkeypatch.setattr(RowProcesses, "row", lambda self, setting: pytest.exit("asked to run"))
    shutil.copytree(small_run / "rows", tmp_path / "rows")

    with pytest.raises(pytest.exit.Exception):
        main(["--methods", "bitfit", *SMALL, "--resume", "--out", str(tmp_path)])

    said = " ".join(capsys.readouterr().out.split())
    assert f"2 rows in {tmp_path} are of another base ({base_hash()}; this one is another): they are not taken" in said


def test_a_row_goes_with_the_adapter_that_another_takes_the_place_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fake_row_process("", monkeypatch)
    (tmp_path / "logs").mkdir()
    (old, other), (new,) = settings_of("lora", "bitfit"), [replace(settings_of("lora")[0], steps=3)]
    for setting in (old, other, new):
        write_json_row(setting, tmp_path)

    with progress_bars(quiet=True) as progress, RowProcesses(tmp_path, 1, progress).running() as processes:
        list(processes.run([new]))

    assert [read_row(setting, tmp_path, {}) is not None for setting in (old, other, new)] == [False, True, True]


def test_rates_of_another_base_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    entries = {"lora": {"setting": {"base": "another"}}, "bitfit": {"setting": {"base": base_hash()}}}
    monkeypatch.setattr(settings, "kept_rates", lambda: entries)

    asked("--methods", "lora", "bitfit")

    assert capsys.readouterr().out.startswith("lora: the learning rates were searched on another base")


@pytest.mark.slow
def test_a_row_of_a_prepared_base_holds_that_bases_own_errors(tmp_path: Path):
    setting = RowSetting("qlora", 0, steps=1, learning_rate=1e-3, test_words=40, train_words=20, base="")

    row = run_row(setting, tmp_path)

    assert row["base_american"] == row["american_disabled"]
    assert 0 < row["base_british"]["phoneme_error"] < 0.5
    assert 50e6 < row["memory_before_bytes"] <= row["peak_memory_bytes"]


def test_every_technique_of_the_registry_has_a_row_and_scratch_is_the_last():
    rows = asked("--quick", "--seeds", "2")

    assert [row.method for row in rows] == ["base", *RECIPES, "scratch", *RECIPES, "scratch"]
    assert {row.seed for row in rows} == {0, 1}


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
        main([*arguments, "--out", str(tmp_path)])
