"""The page's texts: each is marked where it stands, and the Chinese page says every one of them in Chinese."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lessons.language.choice import speaking
from lessons.page.command import main
from lessons.page.contents import EXAMPLES
from lessons.page.words import MARKED, TEMPLATE, chinese, page_texts, source, table, template
from tests.lessons.page_browser import opened
from tests.lessons.page_visits import BAD, walked, written

WORD = re.compile(r"[A-Za-z]{2,}")
SPOKEN_ATTRIBUTES = ("aria-label", "title", "alt", "placeholder")


class Texts(HTMLParser):
    """What a reader meets of a page: the texts, and the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.found += [value or "" for name, value in attributes if name in SPOKEN_ATTRIBUTES]

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script", "kbd"):
            self.found.append(data)


def test_the_template_says_nothing_without_a_mark() -> None:
    texts = Texts()
    texts.feed(MARKED.sub("", source(TEMPLATE)))
    assert [text for text in texts.found if WORD.search(text)] == []


def test_no_mark_is_left_on_the_page_and_english_needs_no_table() -> None:
    with speaking("en"):
        assert table() == {}
        assert "[[" not in template()
        assert '<h2 id="softmax-title">The softmax of <span' in template()
    with speaking("zh"):
        assert "[[" not in template()
        assert table()["nothing"] == chinese()["nothing"]


def test_every_sentence_of_the_scripts_is_found() -> None:
    texts = [text for _, text in page_texts()]
    for sentence in ("nothing", "Step {step} of {all}", "That word has {count} letters; give one of at most {most}."):
        assert sentence in texts


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with opened(written(tmp_path_factory.mktemp("zh"), "zh")) as tab:
        yield tab


@pytest.mark.slow
def test_no_english_is_left_on_the_chinese_page(visit: Any) -> None:
    """A Latin word may stand there only where a translator wrote it, as an example, or as a module's path."""
    known = {word for text in chinese().values() for word in WORD.findall(re.sub(r"\{\w+\}", "", text))}
    known |= {*EXAMPLES, "kB"}
    typed = {word for text in BAD for word in WORD.findall(text.lower())}
    for texts in walked(visit):
        left = {text for text in texts if {*WORD.findall(bare(text))} - known - typed}
        assert {text for text in left if not spoken_sounds(text)} == set()
    assert visit.evaluate("document.documentElement.lang") == "zh-CN"
    assert visit.complaints == []


def bare(text: str) -> str:
    """Without paths of modules."""
    return re.sub(r"\w+(?:\.\w+)+", "", text)


def spoken_sounds(text: str) -> bool:
    """Symbols for sounds may be two Latin letters in a row."""
    return bool(re.search(r"[əɪʊɑɒɔɛæʌɜɹɾŋʃʒθðɡˈˌːɫɝɚ]", text)) and " " not in text


@pytest.mark.slow
def test_the_command_writes_the_page_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    with speaking("zh"):
        assert main(["--out", str(tmp_path / "page.html")]) == 0
    assert "<title>看见微调</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")
