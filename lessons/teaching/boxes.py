"""The box in which a sentence that one often reads meets what was measured."""

import html
import re
from collections.abc import Sequence
from typing import Any

from lessons.teaching.said import Rendered, Say, Values, renders, show_said
from lessons.teaching.templates import filled

ROW = '<tr style="background:{colour};color:#1c2733"><td style="text-align:right"><b>{label}</b></td><td style="text-align:left">{text}</td></tr>'
ROWS = (("It is said", "#fff4e0"), ("It is so", "#e6f4ea"), ("Shown by", "#f4f4f4"))


def said_and_so(said: str, so: str, shown_by: str, **values: Any) -> None:
    """What is said, what is so, and the test or figure that shows it. `Backticks` make code, *stars* stress, {names} take values."""
    show_said("said_and_so", [said, so, shown_by], values)


@renders("said_and_so")
def rendered_box(given: Sequence[str], values: Values, say: Say) -> Rendered:
    """Raises ValueError for a box with an empty place."""
    texts = {label: filled(text, values) for (label, _), text in zip(ROWS, given, strict=True)}
    if empty := [label for label, text in texts.items() if not text.strip()]:
        raise ValueError(f"the box has nothing under {', '.join(map(repr, empty))}: a claim needs all three")
    rows = [ROW.format(colour=colour, label=say(label), text=as_html(texts[label])) for label, colour in ROWS]
    plain = "\n".join(f"{say(label) + ':':<12}{text}" for label, text in texts.items())
    return Rendered(plain, f'<table style="width:100%;max-width:46em">{"".join(rows)}</table>', "text/html")


def as_html(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
    return re.sub(r"(?<!\w)\*([^*\s][^*]*)\*", r"<em>\1</em>", text)
