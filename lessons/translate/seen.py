"""What the kept notebooks show besides the lessons' own texts: labels of figures, cells of tables, printed lines.

They are read where a reader meets them, so that a new label or a changed cell asks for its Chinese by itself.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lessons.language.outputs import Tell, asked_in, has_words, template_of, told
from lessons.teaching.notebooks import NOTEBOOKS, sources
from lessons.teaching.said import KEY
from lessons.translate.po import Text
from lessons.translate.staying import stays
from lessons.translate.words import VALUES

LABEL, CELL, PRINTED = "a label of a figure", "a value or a cell of a table", "a line that a lesson prints"
OF_NAMES = ("lit_diagram", "show_source", "kept_run", "exercises_of", "show_sounds")
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


def shown_in(path: Path) -> list[tuple[str, str]]:
    """Kind and entry of all words in the outputs of a notebook, each once."""
    return list(dict.fromkeys(pair for output in outputs_of(path) for pair in shown_by(output)))


def outputs_of(path: Path) -> tuple[dict[str, Any], ...]:
    return outputs_at(path, path.stat().st_mtime_ns)


@cache
def outputs_at(path: Path, changed: int) -> tuple[dict[str, Any], ...]:
    """Of the file as it was at that time."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return tuple(output for cell in cells for output in cell.get("outputs", []))


def shown_by(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if output["output_type"] == "stream":
        yield from ((PRINTED, template) for template in asked_in("".join(output["text"])))
    said = output.get("metadata", {}).get(KEY, {})
    for label in said.get("labels", ()):
        yield from entry(LABEL, label)
    if said.get("by") == "lit_diagram":
        yield from (each for name in said["values"]["names"] for each in entry(LABEL, name.replace("_", " ")))
    if said and said["by"] not in OF_NAMES:
        for name, value in said["values"].items():
            if not name.endswith(OF_A_MODEL):
                for text in strings(value):
                    yield from entry(CELL, text)


def entry(kind: str, text: str) -> Iterator[tuple[str, str]]:
    template = text if kind == CELL and text in VALUES else template_of(text)[0]
    if has_words(template):
        yield kind, template


def old_pictures(tell: Tell) -> Iterator[str]:
    """The notebooks whose pictures say in Chinese what is said otherwise now."""
    for source in sources():
        path = NOTEBOOKS / f"{source.stem}.ipynb"
        for output in outputs_of(path) if path.is_file() else ():
            said = output.get("metadata", {}).get(KEY, {})
            words = said.get("overlay", {}).get("words")
            now = {label: chinese for label in said.get("labels", ()) if (chinese := told(label, tell)) != label}
            if words is not None and words != now:
                changed = sorted(set(words.items()) ^ set(now.items()))
                yield (
                    f"{path.name}: a picture was drawn with other words than {changed[0][0]!r} has now; "
                    f"`python -m lessons.teaching.build {source.stem[:2]}` draws it again"
                )
                break


def strings(value: Any) -> Iterator[str]:
    """The texts in a value, however deep in lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
