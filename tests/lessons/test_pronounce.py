"""Words in every accent that there is an adapter for."""

from pathlib import Path

import pytest

from lessons.task import pronounce
from lessons.task.base import load_base
from lessons.task.finetuning import adapted
from lessons.task.pronounce import main
from peft import RECIPES


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter that has learnt nothing: it speaks as the base does."""
    folder = tmp_path / "british" / "bitfit"
    adapted("bitfit", base=load_base()).save_pretrained(folder)
    return folder


def test_american_is_spoken_without_an_adapter(capsys: pytest.CaptureFixture[str]):
    assert main(["Word", "--accent", "american"]) == 0

    assert capsys.readouterr().out.split() == ["american", "word", "wˈɜɹd"]


def test_every_shipped_adapter_is_an_accent(
    adapter: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(pronounce, "adapters_folder", lambda: adapter.parent.parent)

    assert main(["word", "--method", "bitfit"]) == 0

    assert capsys.readouterr().out.split() == ["american", "british", "word", "wˈɜɹd", "wˈɜɹd"]


@pytest.mark.parametrize("method", [method for method in RECIPES if pronounce.shipped(method)])
def test_every_shipped_adapter_fits_the_base_that_its_recipe_prepares(method: str):
    for accent, folder in pronounce.shipped(method).items():
        assert pronounce.voice(folder, method).active == ("default",), accent


def test_an_adapter_of_ones_own_and_the_figure(adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    figure = tmp_path / "attention.png"

    assert main(["word", "--method", "bitfit", "--adapter", str(adapter), "--figure", str(figure)]) == 0

    assert str(adapter) in capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["naïve"], "'ï'; allowed are abc"),
        (["don't"], "allowed are abc"),
        (["a" * 96], "96 letters, the model reads at most 95"),
        (["word", "--accent", "martian"], "no lora adapter for martian; there are american"),
        (["word", "--method", "lorra"], "unknown technique 'lorra': did you mean lora"),
    ],
)
def test_what_cannot_be_said_is_explained(arguments: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        main(arguments)


def test_a_missing_adapter_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.adapter_config\.json"):
        main(["word", "--adapter", str(tmp_path / "nowhere")])
