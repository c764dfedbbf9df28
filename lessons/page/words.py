"""The texts of the page, in English where they are shown and in Chinese in lessons/zh/page.po.

A text is marked where it stands, and found there:

    [[The word and the technique]]             in template.html; a line's end is a space
    say("nothing")                             in JavaScript
    tell("Step {step} of {all}", {step, all})  ... with values

The words that Python gives the page (wording.py, the figure's boxes) are listed in `given`.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

from lessons.drawing.families import FAMILIES
from lessons.language.choice import CHINESE, language
from lessons.language.po import po_of, translations
from lessons.page.wording import NAMES, STRENGTHS
from lessons.teaching.layout import BOXES

PAGE = "page"
"""The .po file."""

TEMPLATE = "template.html"
SCRIPTS = (
    "words.js",
    "weights.js",
    "transformer.js",
    "reading.js",
    "view.js",
    "drawing.js",
    "page.js",
    "tour.js",
)
FIGURE = "The Transformer: encoder on the left, decoder on the right. What the technique changes is lit."
MARKED = re.compile(r"\[\[(.+?)\]\]", re.DOTALL)
CALLED = re.compile(r'\b(?:say|tell)\(("(?:[^"\\]|\\.)*")')


def source(name: str) -> str:
    """A file of this folder."""
    return (resources.files("lessons") / "page" / name).read_text(encoding="utf-8")


def page_texts() -> Iterator[tuple[str, str]]:
    """(file, text) in English, in the order in which a visitor meets them."""
    yield from ((TEMPLATE, on_one_line(text)) for text in MARKED.findall(source(TEMPLATE)))
    for name in SCRIPTS:
        yield from ((name, json.loads(text)) for text in CALLED.findall(source(name)))
    yield from (("wording.py", text) for text in given())


def given() -> tuple[str, ...]:
    """What Python says on the page."""
    return (*NAMES.values(), *FAMILIES, *STRENGTHS.values(), *(box.text for box in BOXES), FIGURE)


def on_one_line(text: str) -> str:
    return " ".join(text.split())


@cache
def chinese() -> dict[str, str]:
    return translations(po_of(PAGE))


def say(text: str) -> str:
    """The text in the language that is spoken; in English where there is no Chinese."""
    return chinese().get(text, text) if language() == CHINESE else text


def template() -> str:
    """The page's frame, with its texts in that language."""
    return MARKED.sub(lambda found: say(on_one_line(found[1])), source(TEMPLATE))


def table() -> dict[str, str]:
    """English → Chinese of what JavaScript says; empty in English."""
    texts = {text for name, text in page_texts() if name in SCRIPTS}
    return {text: said for text in sorted(texts) if (said := say(text)) != text}
