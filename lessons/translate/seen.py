"""What the kept notebooks show besides the lessons' own texts: labels of figures, cells of tables, printed lines.

They are read where a reader meets them, so that a new label or a changed cell asks for its Chinese by itself.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lessons.language.outputs import asked_in, has_words, template_of
from lessons.teaching.notebooks import NOTEBOOKS, sources
from lessons.teaching.said import KEY
from lessons.translate.po import Text
from lessons.translate.staying import stays
from lessons.translate.words import VALUES

LABEL, CELL, PRINTED = "a label of a figure", "a value or a cell of a table", "a line that a lesson prints"
OF_NAMES = ("show_source", "kept_run", "exercises_of", "show_sounds")
"""Whose values are names, told by their renderers."""

OF_A_MODEL = ("_says", "tokens")
"""Names of values that a model wrote."""


def seen_texts() -> Iterator[Text]:
    """The entries of outputs.po, in the order of the course; the same entry again for each lesson that shows it."""
    for source in sources():
        path = NOTEBOOKS / f"{source.stem}.ipynb"
        if path.is_file():
            for number, (kind, template) in enumerate(shown_in(path), start=1):
                if not stays(template) and not (kind == CELL and template in VALUES):
                    yield Text(template, kind, (f"lessons/{source.name}", number))


@cache
def shown_in(path: Path) -> tuple[tuple[str, str], ...]:
    """Kind and entry of all words in the outputs of a notebook, each once."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = [pair for cell in cells for output in cell.get("outputs", []) for pair in shown_by(output)]
    return tuple(dict.fromkeys(found))


def shown_by(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if output["output_type"] == "stream":
        yield from ((PRINTED, template) for template in asked_in("".join(output["text"])))
    said = output.get("metadata", {}).get(KEY, {})
    for label in said.get("labels", ()):
        yield from entry(LABEL, label)
    if said and said["by"] not in OF_NAMES:
        for name, value in said["values"].items():
            if not name.endswith(OF_A_MODEL):
                for text in strings(value):
                    yield from entry(CELL, text.replace("_", " ") if said["by"] == "lit_diagram" else text)


def entry(kind: str, text: str) -> Iterator[tuple[str, str]]:
    template = text if kind == CELL and text in VALUES else template_of(text)[0]
    if has_words(template):
        yield kind, template


def strings(value: Any) -> Iterator[str]:
    """The texts in a value, however deep in lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
