"""`doctor --model DIR`: what is whole is said to be whole, and what is not is named."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch

from lessons.install.doctor import main
from lessons.task.base import load_base
from lessons.task.shipped import shipped
from peft import PeftModel
from transformer import save_model
from transformer.learning.formats import read_tensors, write_tensors


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


def test_the_base_it_was_trained_on_is_told(adapter: Path, capsys: pytest.CaptureFixture[str]):
    file = adapter / "adapter_config.json"
    config = json.loads(file.read_text())
    config["finetune_by_hand"]["base"] = "0" * 16
    file.write_text(json.dumps(config))

    assert main(["--model", str(adapter)]) == 0

    told = capsys.readouterr().out
    assert f"trained on {'0' * 16}, not the shipped one" in " ".join(told.split())
    assert "not compared: its base is not here" in told


def test_a_model_says_whether_an_adapter_still_stands_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tuned = PeftModel.from_pretrained(load_base(), shipped("lora")["british"])
    save_model(copy.deepcopy(tuned).merge_and_unload(), tmp_path / "merged")
    (tmp_path / "left").mkdir()
    write_tensors(tmp_path / "left" / "model.safetensors", {"q_proj.lora_A.weight": torch.ones(2, 3)})

    assert main(["--model", str(tmp_path / "merged")]) == 0
    assert "no adapter stands in it" in capsys.readouterr().out
    assert main(["--model", str(tmp_path / "left")]) == 1
    assert "a model with an adapter still in it (q_proj.lora_A.weight)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("rows", "code"), [(7, 0), (6, 1)])
def test_a_tokenizer_has_no_more_ids_than_the_model_rows(
    rows: int, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    write_tensors(tmp_path / "model.safetensors", {"embed_tokens.weight": torch.ones(rows, 2)})
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": rows}))
    words = {"model": {"vocab": {"a": 0, "b": 5}}, "added_tokens": [{"id": 6, "content": "<end>"}]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(words))

    assert main(["--model", str(tmp_path)]) == code

    told = " ".join(capsys.readouterr().out.split())
    assert ("ids up to 6, and 7 rows" if code == 0 else "do not belong together") in told
