"""What CONTRIBUTING.md says of a new technique is true: its example runs, and `new-technique` writes what runs."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lessons.compare.command import main as compare
from lessons.compare.settings import rates_of
from lessons.drawing.families import family
from lessons.new_technique import command
from lessons.task.techniques import chosen_techniques, import_techniques
from peft import RECIPES, PeftModel, get_peft_model
from tests.peft.small import batch, small_base, take_steps

ROOT = Path(__file__).resolve().parents[2]
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def loha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example as a module of somebody's own, imported as --import does it; the folder where it lies."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_loha.py").write_text(EXAMPLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder))
        import_techniques(["my_loha"])
        yield folder
    del RECIPES["loha"], sys.modules["my_loha"]


def model_of(seed: int = 1) -> PeftModel:
    base = small_base()
    torch.manual_seed(seed)
    return get_peft_model(base, RECIPES["loha"].config()).eval()


def test_the_example_trains_saves_loads_switches_off_and_merges(loha: Path, tmp_path: Path) -> None:
    model, base = model_of(), small_base()(*batch())
    assert torch.equal(model(*batch()), base), "it starts as the base"
    take_steps(model, count=2)
    tuned = model(*batch())
    assert (tuned - base).abs().max() > 1e-4
    with model.disable_adapter():
        assert torch.equal(model(*batch()), base)
    model.save_pretrained(tmp_path)
    torch.testing.assert_close(PeftModel.from_pretrained(small_base(), tmp_path)(*batch()), tuned)
    torch.testing.assert_close(model.merge_and_unload()(*batch()), tuned, atol=1e-5, rtol=1e-5)


def test_the_examples_update_is_the_papers(loha: Path) -> None:
    layer = next(iter(importlib.import_module("my_loha").RECIPES["loha"].config().place(small_base()).layers.values()))
    torch.nn.init.normal_(layer.up)
    expected = torch.einsum("or,ri,os,si->oi", layer.up, layer.down, layer.up_2, layer.down_2)
    torch.testing.assert_close(layer.update(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_technique_from_outside_has_a_row_a_family_and_the_middle_of_its_rates(
    loha: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--import", "my_loha", "--methods", "loha", "--steps", "2", "--test-words", "5"]

    assert compare([*options, "--out", str(tmp_path)]) == 0

    (row,) = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert (row["method"], row["learning_rate"]) == ("loha", 1e-2)
    assert "loha has no searched learning rate and takes 0.01" in capsys.readouterr().out
    assert family("loha").name == "LoRA family"


def test_a_rate_can_be_given(loha: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rates_of(["loha", "lora"], 0.25) == {"loha": 0.25, "lora": 0.25}
    assert not capsys.readouterr().out
    with pytest.raises(ValueError, match=r"--rate 0\.1 is for techniques that --methods names"):
        compare(["--rate", "0.1"])


def test_a_name_that_is_nearly_right_is_told_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"unknown technique 'pilll': did you mean pill\? there are full, .* scratch"):
        chosen_techniques(["lora", "pilll"])
    with pytest.raises(ImportError, match="no module 'not_there' to import"):
        import_techniques(["not_there"])


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to write into as if it were a clone."""
    (tmp_path / "tests" / "peft").mkdir(parents=True)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_new_technique_passes_its_own_tests(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["row_gain"]) == 0

    assert '"row_gain": Recipe(RowGainConfig' in capsys.readouterr().out
    packages = "import sys, peft, pytest, tests.peft.layers, tests.peft.small, tests.reference"
    program = f"{packages}; peft.__path__.append({str(clone / 'peft')!r}); sys.exit(pytest.main(sys.argv[1:]))"
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull, f"--rootdir={clone}"]
    run = subprocess.run(
        [sys.executable, "-c", program, *options, "tests/peft/test_row_gain.py"],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(clone)])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout


@pytest.mark.parametrize("name", ["lora", "Gain", "row gain", "class", "2d", "lora_plus", "../x"])
def test_a_name_that_is_taken_or_none_is_refused(name: str, clone: Path) -> None:
    with pytest.raises(ValueError, match=r"is taken|is no name"):
        command.main([name])
    assert not (clone / "peft").exists()


def test_nothing_is_written_twice(clone: Path) -> None:
    command.main(["row_gain"])
    with pytest.raises(ValueError, match=r"'row_gain' is taken: peft/row_gain\.py"):
        command.main(["row_gain"])
