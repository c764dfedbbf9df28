"""The page: its models at a strength are what their technique says, and its JavaScript says what PyTorch says."""

import json
import os
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lessons.page.command import LARGEST, page
from lessons.page.contents import contents
from lessons.page.measure import main as measure
from lessons.page.strength import at_strength
from lessons.page.voices import page_base, page_folders, page_voice
from lessons.site.screenshots import find_chromium
from lessons.task.dictionary import vocabulary, words
from lessons.task.scoring import predict
from tests.lessons.page_pixels import contrast

STRENGTHS = (0.0, 0.3, 0.6, 1.0, 1.25)
METHODS = list(page_folders())
FEW = int(os.environ.get("FT_PAGE_WORDS", "3"))
TIE = 1e-4
"""Where the two likeliest symbols of PyTorch are nearer than this, rounding may choose the other."""


@pytest.mark.parametrize("method", METHODS)
def test_at_1_it_is_the_technique_at_0_the_base_and_afterwards_whole_again(method: str) -> None:
    model = page_voice(method, page_folders()[method])
    source, target = torch.tensor([vocabulary().encode_word("tomato")]), torch.tensor([[1, 30, 40]])

    with torch.no_grad():
        whole = model(source, target)
        with model.disable_adapter():
            base = model(source, target)
        with at_strength(model, 1.0):
            one = model(source, target)
        with at_strength(model, 0.0):
            zero = model(source, target)
        with at_strength(model, 0.5):
            half = model(source, target)

        torch.testing.assert_close(one, whole, atol=2e-4, rtol=0)
        torch.testing.assert_close(zero, base, atol=2e-4, rtol=0)
        assert min((half - whole).abs().max(), (half - base).abs().max()) > 1e-3
        assert torch.equal(model(source, target), whole)


def test_a_strength_below_0_is_refused() -> None:
    model = page_voice("bitfit", page_folders()["bitfit"])
    with pytest.raises(ValueError, match=r"-0\.5"), at_strength(model, -0.5):
        pass


def test_the_command_measures_errors_at_every_strength_and_does_not_measure_twice(tmp_path: Path) -> None:
    file = tmp_path / "strength.json"
    assert measure(["--words", "2", "--methods", "bitfit", "--out", str(file)]) == 0
    kept = json.loads(file.read_text())
    assert len(kept["techniques"]["bitfit"]["british"]) == len(kept["strengths"])
    kept["techniques"]["bitfit"]["british"][0] = 7.0
    file.write_text(json.dumps(kept))

    measure(["--words", "2", "--methods", "bitfit", "--out", str(file)])

    assert json.loads(file.read_text())["techniques"]["bitfit"]["british"][0] == 7.0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(*contents(page_folders())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def visit(file: Path) -> Iterator[Any]:
    """The page in a headless Chromium, and what it complained of or asked for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("there is no Chromium to open the page in: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.set_default_timeout(300_000)
        tab.complaints = []
        tab.on("console", lambda said: tab.complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on(
            "request",
            lambda asked: (
                None
                if asked.url == file.as_uri() or asked.url.startswith("data:")
                else tab.complaints.append(asked.url)
            ),
        )
        tab.goto(file.as_uri())
        tab.evaluate("ready")
        yield tab
        browser.close()


SPEAK = """([name, strength, words]) => {
  const technique = contents.techniques.find(each => each.name === name);
  const model = window.held ??= new Transformer(contents.config, base.base);
  if (model.technique !== technique) model.put(technique, strength); else model.setStrength(strength);
  return words.map(word => spoken(model.generate(encode(word), mostFor(word)).tokens).join(""));
}"""
LOGITS = """([name, strength, source, target]) => {
  const model = new Transformer(contents.config, base.base);
  model.put(contents.techniques.find(each => each.name === name), strength);
  return model.logits(source, target).map(row => [...row]);
}"""


@pytest.mark.parametrize("method", METHODS)
def test_the_page_says_what_pytorch_says(visit: Any, method: str) -> None:
    held_to_pytorch(visit, method, words("british", "test", FEW))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_page_says_what_pytorch_says_on_many_words(visit: Any, method: str) -> None:
    held_to_pytorch(visit, method, words("british", "test", int(os.environ.get("FT_PAGE_WORDS", "60"))))


def held_to_pytorch(visit: Any, method: str, chosen: list[str]) -> None:
    model = page_voice(method, page_folders()[method])
    source, target = vocabulary().encode_word("tomato"), [1, *vocabulary().encode_pronunciation("təmˈ")[:-1]]
    for strength in STRENGTHS:
        with at_strength(model, strength):
            said = predict(model, chosen)
            logits = model(torch.tensor([source]), torch.tensor([target]))[0]
            here = dict(zip(chosen, visit.evaluate(SPEAK, [method, strength, chosen]), strict=True))
            wrong = [word for word in chosen if here[word] != said[word] and not tied(model, word, said[word])]
            assert not wrong, [(strength, word, here[word], said[word]) for word in wrong[:5]]
            found = torch.tensor(visit.evaluate(LOGITS, [method, strength, source, target]))
            assert (found - logits).abs().max() < 1e-3


def tied(model: Any, word: str, said: str) -> bool:
    """Whether PyTorch nearly said something else at some point of what it said."""
    tokens = vocabulary()
    if not set(said) <= set(tokens.symbols):
        return False
    logits = model(torch.tensor([tokens.encode_word(word)]), torch.tensor([[1, *tokens.encode_pronunciation(said)]]))
    best = logits[0].topk(2).values
    return bool(((best[:, 0] - best[:, 1]) < TIE).any())


def test_a_silenced_head_is_one_whose_output_is_left_out(visit: Any) -> None:
    base, path = page_base(), "decoder.layers.2.cross_attention"
    size = base.config.d_model // base.config.num_heads
    source, target = vocabulary().encode_word("tomato"), [1, 30]
    with torch.no_grad():
        base.get_submodule(path).out_proj.weight[:, size : 2 * size] = 0
        wanted = base(torch.tensor([source]), torch.tensor([target]))[0]

    found = visit.evaluate(
        "([head, source, target]) => { const model = new Transformer(contents.config, base.base);"
        " model.silenced.add(head); return model.logits(source, target).map(row => [...row]); }",
        [f"{path}:1", source, target],
    )

    torch.testing.assert_close(torch.tensor(found), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Type a word"),
        ("naïve", "“ï”"),
        ("b4", "“4”"),
        ("🙂", "“🙂”"),
        ("a" * 60, "60 letters"),
        ("Tomato soup\nis red. " * 40, "the first of 160"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence_and_the_page_goes_on(visit: Any, typed: str, sentence: str) -> None:
    visit.fill("#word", typed)
    assert sentence in visit.text_content("#status")
    visit.fill("#word", "lot")
    assert visit.text_content("#status") == ""
    assert visit.evaluate("chosen.word") == "lot"


def test_keys_the_tour_and_the_controls(visit: Any) -> None:
    visit.evaluate("chooseTechnique('lora')")
    visit.click("#tour-start")
    for number in range(1, 8):
        assert f"Step {number} of 7" in visit.text_content("#tour-count")
        visit.click("#tour-next")
    assert visit.is_hidden("#tour")
    visit.keyboard.press("0")
    assert visit.evaluate("chosen.strength") == 0
    visit.keyboard.press("]")
    assert visit.input_value("#technique") != "lora"
    unnamed = visit.evaluate("""[...document.querySelectorAll('input, select, button, canvas, svg, [role=img]')].filter(each =>
        !each.closest('[aria-hidden=true]') && !(each.labels?.length || each.textContent.trim() || each.getAttribute('aria-label'))).map(each => each.outerHTML)""")
    assert unnamed == []
    ids = visit.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids))


def test_it_fits_a_telephone(visit: Any) -> None:
    visit.set_viewport_size({"width": 380, "height": 800})
    assert visit.evaluate("document.documentElement.scrollWidth") <= 380


@pytest.mark.slow
def test_from_slider_to_picture_is_at_most_50_milliseconds_at_the_median(visit: Any) -> None:
    """A machine that does other work is slower: FT_PAGE_MILLISECONDS gives it more."""
    visit.evaluate("(chooseTechnique('lora'), chooseWord('tomato'))")
    times = visit.evaluate("""async () => { const times = [];
      for (let i = 0; i < 21; i++) { const from = performance.now(); $("strength").value = i / 20;
        $("strength").dispatchEvent(new Event("input")); await new Promise(requestAnimationFrame); times.push(performance.now() - from); }
      return times; }""")
    assert statistics.median(times) <= float(os.environ.get("FT_PAGE_MILLISECONDS", "50"))


def test_it_is_one_small_file_that_asks_for_nothing_and_complains_of_nothing(visit: Any, file: Path) -> None:
    assert file.stat().st_size <= LARGEST
    assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(scheme: str) -> None:
    colours = contrast(scheme)
    assert min(colours.values()) >= 4.5, colours
