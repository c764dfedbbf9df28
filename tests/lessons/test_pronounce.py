"""Words in every accent that there is an adapter for."""

import json
import shutil
from pathlib import Path

import pytest

from lessons.task import pronounce, shipped
from lessons.task.base import base_hash, load_base, model_card
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

    assert capsys.readouterr().out.split() == ["american", "dictionary", "word", "wˈɜɹd", "✓", "wˈɜɹd"]


def test_what_is_said_stands_beside_the_dictionary(
    adapter: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The adapter speaks as the base does, which is wrong in British; no dictionary has a florp."""
    monkeypatch.setattr(shipped, "adapters_folder", lambda: adapter.parent.parent)

    assert main(["word", "florp", "--method", "bitfit"]) == 0

    head, word, florp, _, trained = capsys.readouterr().out.splitlines()
    assert head.split() == ["american", "dictionary", "british", "dictionary"]
    assert word.split() == ["word", "wˈɜɹd", "✓", "wˈɜɹd", "wˈɜɹd", "✗", "wˈɜd"]
    assert florp.split()[2:4] == florp.split()[5:] == ["-", "-"]
    assert trained == "british: bitfit, trained on 1,000 words"


def on_all_words(adapter: Path, folder: Path, **errors: float) -> Path:
    """A folder of shipped adapters: bitfit on 1,000 words, and these on all, each with its word error."""
    shutil.copytree(adapter, folder / "british" / "bitfit")
    for method, wrong in errors.items():
        own = folder / "british_all" / method
        adapted(method, base=load_base()).save_pretrained(own)
        made = {"british": {"word_error": wrong}, "training_words": 69_845, "test_words": 3013}
        (own / "card.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize(
    ("arguments", "trained"),
    [
        ([], "british: ssf, trained on all 69,845 words, 28.0% of 3,013 held-out words wrong"),
        (["--method", "bitfit"], "british: bitfit, trained on 1,000 words"),
        (["--method", "ia3", "--trained-on", "all"], "british: ia3, trained on all 69,845 words, 31.0%"),
    ],
)
def test_the_best_on_all_words_speaks_unless_another_is_named(
    arguments: list[str],
    trained: str,
    adapter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    folder = on_all_words(adapter, tmp_path / "shipped", ia3=0.31, ssf=0.28)
    monkeypatch.setattr(shipped, "adapters_folder", lambda: folder)

    assert main(["word", *arguments]) == 0

    assert capsys.readouterr().out.splitlines()[-1].startswith(trained)


@pytest.mark.parametrize("arguments", [["--method", "vera"], ["--method", "bitfit", "--trained-on", "all"]])
def test_a_method_without_an_adapter_is_an_error_that_lists_what_there_is(
    arguments: list[str], adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = on_all_words(adapter, tmp_path / "shipped", ia3=0.31)
    monkeypatch.setattr(shipped, "adapters_folder", lambda: folder)

    listed = rf"no {arguments[1]} adapter; there are british on 1,000 words: bitfit; british on all words: ia3"
    with pytest.raises(ValueError, match=listed):
        main(["word", *arguments])


@pytest.mark.parametrize("method", [method for method in RECIPES if shipped.shipped(method)])
def test_every_shipped_adapter_fits_the_base_that_its_recipe_prepares(method: str):
    for accent, folder in shipped.shipped(method).items():
        assert pronounce.voice(folder, method).active == ("default",), accent


@pytest.mark.parametrize("method", list(shipped.on_all_words()))
def test_every_adapter_on_all_words_is_of_the_shipped_base_and_good_enough_to_use(method: str):
    folder = shipped.on_all_words()[method]
    made = shipped.card(folder)

    assert pronounce.voice(folder, method).active == ("default",)
    assert made["base"] == base_hash()
    assert made["british"]["word_error"] <= 0.30
    assert made["american_disabled"]["word_error"] == model_card()["held_out"]["american"]["word_error"]


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
        (["word", "--accent", "martian"], "adapter for martian; there are american"),
        (["word", "--method", "full"], "no full adapter; there are british on 1,000 words: adapter_houlsby, "),
        (["word", "--method", "lorra"], "unknown technique 'lorra': did you mean lora"),
    ],
)
def test_what_cannot_be_said_is_explained(arguments: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        main(arguments)


def test_a_missing_adapter_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.adapter_config\.json"):
        main(["word", "--adapter", str(tmp_path / "nowhere")])
