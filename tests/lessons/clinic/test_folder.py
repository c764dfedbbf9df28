"""`doctor --model DIR`: what is whole is said to be whole, and what is not is named."""

import shutil
from pathlib import Path

import pytest
import torch

from lessons.install.doctor import main
from lessons.task.shipped import shipped
from transformer.learning.checkpoint import read_tensors, write_tensors


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("lora")["british"], tmp_path / "adapter"))


def change(folder: Path, change_all) -> None:
    file = folder / "adapter_model.safetensors"
    write_tensors(file, change_all(read_tensors(file)[0]))


def test_a_shipped_adapter_is_in_order(adapter: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--model", str(adapter)]) == 0

    told = capsys.readouterr().out
    assert "LORA" in told
    assert "the shipped one" in told
    assert "✗" not in told


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda ts: {n: t * float("nan") for n, t in ts.items()}, "NaN"),
        (lambda ts: {n: torch.zeros_like(t) if "lora_B" in n else t for n, t in ts.items()}, "never trained"),
        (lambda ts: {n.replace("q_proj", "query"): t for n, t in ts.items()}, "match no module"),
    ],
)
def test_what_is_wrong_is_named(spoil, says: str, adapter: Path, capsys: pytest.CaptureFixture[str]):
    change(adapter, spoil)

    assert main(["--model", str(adapter)]) == 1

    assert says in capsys.readouterr().out
