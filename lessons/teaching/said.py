"""What a lesson shows in words, kept as a record beside the output: who shows it, its texts, its values.

Of the record the same words can be made in another language, without running the lesson again (lessons/translate).
Who shows words gives a renderer:

    @renders("prose")
    def rendered(texts: Sequence[str], values: Values, say: Say) -> Rendered:
        return Rendered(filled(texts[0], values))

`texts` are templates, already in the language; `say` gives a fixed word in it; in English it is the word itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lessons.teaching.showing import show

Say = Callable[[str], str]
Values = Mapping[str, Any]
KEY = "said"
"""Where an output's metadata keeps its record."""


class Rendered(NamedTuple):
    """`plain` for a terminal, `rich` of the MIME type `kind` for a notebook: the same text, if it is empty."""

    plain: str
    rich: str = ""
    kind: str = "text/markdown"


Renderer = Callable[[Sequence[str], Values, Say], Rendered]
RENDERERS: dict[str, Renderer] = {}


def renders(by: str) -> Callable[[Renderer], Renderer]:
    """Makes a function the renderer of the records of `by`."""

    def keep(renderer: Renderer) -> Renderer:
        RENDERERS[by] = renderer
        return renderer

    return keep


def in_english(word: str) -> str:
    return word


def show_said(by: str, texts: Sequence[str], values: Values) -> None:
    """Shows it in English, with its record."""
    plain, rich, kind = RENDERERS[by](texts, values, in_english)
    show(plain, rich, kind, {KEY: record(by, texts, values)})


def said_again(kept: Mapping[str, Any], say: Say) -> Rendered:
    """The words of a record in another language."""
    return RENDERERS[kept["by"]]([say(text) for text in kept["texts"]], kept["values"], say)


def record(
    by: str,
    texts: Sequence[str],
    values: Values,
    labels: Sequence[str] = (),
    overlay: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What stays of it: who said it, in which templates, with which values; of a picture also its words, and those in Chinese."""
    kept = {"by": by, "texts": list(texts), "values": {name: plain_value(value) for name, value in values.items()}}
    return kept | ({"labels": list(labels)} if labels else {}) | ({"overlay": dict(overlay)} if overlay else {})


def plain_value(value: Any) -> Any:
    """A number as Python has it, a list of such, or a text: what JSON can hold."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, list | tuple):
        return [plain_value(each) for each in value]
    return value if isinstance(value, int | float | str | None) else str(value)
