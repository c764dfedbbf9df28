"""The page: its models at a strength are what their technique says, and its JavaScript says what PyTorch says."""

import json
import os
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lessons.page.command import LARGEST, page
from lessons.page.contents import contents
from lessons.page.measure import kept_strengths
from lessons.page.measure import main as measure
from lessons.page.strength import at_strength
from lessons.page.voices import page_base, page_folders, page_voice
from lessons.task.dictionary import vocabulary
from lessons.task.scoring import predict
from lessons.teaching.notebooks import LESSONS
from tests.lessons.page_browser import installed, opened
from tests.lessons.page_parity import KEPT, STRENGTHS, WORDS, about, compared, held_words
from tests.lessons.page_pixels import contrast
from tests.lessons.page_visits import BAD
from tests.peft import small
from transformer.learning.formats import read_json

METHODS = list(page_folders())
FEW, PASSES = 3, 3


@pytest.mark.parametrize(
    "method", [method if method in small.FEW else pytest.param(method, marks=pytest.mark.slow) for method in METHODS]
)
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


@pytest.mark.slow
def test_the_command_measures_errors_at_every_strength_and_does_not_measure_twice(tmp_path: Path) -> None:
    file = tmp_path / "strength.json"
    assert measure(["--words", "2", "--methods", "bitfit", "--out", str(file)]) == 0
    kept = json.loads(file.read_text())
    assert len(kept["techniques"]["bitfit"]["british"]) == len(kept["strengths"])
    kept["techniques"]["bitfit"]["british"][0] = 7.0
    file.write_text(json.dumps(kept))

    measure(["--words", "2", "--methods", "bitfit", "--out", str(file)])

    assert json.loads(file.read_text())["techniques"]["bitfit"]["british"][0] == 7.0


def test_the_kept_curves_are_of_this_base_and_of_every_technique() -> None:
    kept = kept_strengths()
    assert kept is not None
    assert list(kept["techniques"]) == METHODS
    for row in kept["techniques"].values():
        assert len(row["american"]) == len(row["british"]) == len(kept["strengths"])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    installed()
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(*contents(page_folders())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def visit(file: Path) -> Iterator[Any]:
    with opened(file) as tab:
        yield tab


LOGITS = """([name, strength, source, target]) => {
  const model = new Transformer(contents.config, base.base);
  model.put(contents.techniques.find(each => each.name === name), strength);
  return model.logits(source, target).map(row => [...row]);
}"""


@pytest.mark.parametrize("method", METHODS)
def test_the_page_says_what_pytorch_says(visit: Any, method: str) -> None:
    model = page_voice(method, page_folders()[method])
    source, target = vocabulary().encode_word("tomato"), [1, *vocabulary().encode_pronunciation("təmˈ")[:-1]]
    for strength in STRENGTHS:
        with at_strength(model, strength), torch.no_grad():
            assert compared(visit, model, method, strength, held_words(FEW))["wrong"] == []
            logits = model(torch.tensor([source]), torch.tensor([target]))[0]
            found = torch.tensor(visit.evaluate(LOGITS, [method, strength, source, target]))
            assert (found - logits).abs().max() < 1e-3


def share(held: Sequence[str], method: str, strength: float) -> list[str]:
    """The words of one pair: each pass deals all words out once over all pairs of technique and strength."""
    pairs = len(METHODS) * len(STRENGTHS)
    pair = METHODS.index(method) * len(STRENGTHS) + STRENGTHS.index(strength)
    dealt = [held[(pair + 37 * number) % pairs :: pairs] for number in range(PASSES)]
    return [word for words in dealt for word in words]


def test_every_word_is_dealt_to_as_many_pairs_as_there_are_passes() -> None:
    held = held_words()
    counts = Counter(word for method in METHODS for strength in STRENGTHS for word in share(held, method, strength))
    assert counts == dict.fromkeys(held, PASSES)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_page_says_3_000_words_as_pytorch_does(visit: Any, method: str) -> None:
    """Every technique at every strength, each word at three of these pairs; the whole product is a command (page_parity)."""
    model, held = page_voice(method, page_folders()[method]), held_words()
    for strength in STRENGTHS:
        with at_strength(model, strength), torch.no_grad():
            assert compared(visit, model, method, strength, share(held, method, strength))["wrong"] == [], strength


def test_the_kept_comparison_is_of_this_base_and_these_scripts_and_no_word_is_said_in_another_way() -> None:
    """After another base, or an edit of the JavaScript that computes: `python -m tests.lessons.page_parity`."""
    kept = read_json(KEPT)
    rows = [row for technique in kept["techniques"].values() for row in technique.values()]

    assert {name: kept[name] for name in about(WORDS)} == about(WORDS)
    assert list(kept["techniques"]) == METHODS
    assert {tuple(technique) for technique in kept["techniques"].values()} == {tuple(map(str, STRENGTHS))}
    assert {(row["words"], row["equal"] + row["tied"], len(row["wrong"])) for row in rows} == {(WORDS, WORDS, 0)}
    assert f"{sum(row['equal'] for row in rows):,} comparisons" in (LESSONS.parent / "README.md").read_text(
        encoding="utf-8"
    )


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


@pytest.mark.parametrize(("typed", "sentence"), BAD.items())
def test_what_cannot_be_read_gets_a_sentence_and_the_page_goes_on(visit: Any, typed: str, sentence: str) -> None:
    visit.fill("#word", typed)
    assert sentence in visit.text_content("#status")
    visit.fill("#word", "lot")
    assert visit.text_content("#status") == ""
    assert visit.evaluate("chosen.word") == "lot"


def test_without_scripts_it_says_so_and_promises_nothing(visit: Any, file: Path) -> None:
    tab = visit.context.browser.new_page(java_script_enabled=False)
    tab.goto(file.as_uri())
    assert tab.is_visible("text=JavaScript is switched off here")
    assert not tab.is_visible("#word")
    assert not tab.is_visible("#status")
    assert not visit.is_visible("text=JavaScript is switched off here")
    tab.close()


def test_what_the_tour_says_of_tomato_is_what_the_base_says(visit: Any) -> None:
    """The a as eɪ, the t after it as ɾ, the o at the end as oʊ: on the shipped base, here and in PyTorch."""
    visit.evaluate("chooseTechnique('lora')")
    visit.click("#tour-start")
    visit.click("#tour-next")
    told = visit.text_content("#tour-text")
    assert re.findall(
        r"a of tomato as (\w+), the t after it as the quick (\w), and the o at the end as (\w+)", told
    ) == [("eɪ", "ɾ", "oʊ")]
    said = visit.evaluate("spoken(chosen.said.tokens).join('')")
    assert visit.evaluate("[chosen.word, chosen.strength]") == ["tomato", 0]
    assert said == predict(page_base(), ["tomato"])["tomato"]
    assert said.endswith("eɪɾoʊ")
    visit.click("#tour-next")
    assert visit.locator("#said .differs").count() > 0
    visit.click("#tour-end")


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
@pytest.mark.alone
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
