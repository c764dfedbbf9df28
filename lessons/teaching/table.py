"""A table of words and numbers: the first line is the head, the first column the names. Its words go with it in its record.

show_table([["technique", "merges"], ["lora", "yes"]], title="Of {n:,} pairs", n=3894)
"""

from collections.abc import Sequence
from typing import Any

from lessons.drawing.grids import Grid, as_markdown, as_text
from lessons.teaching.said import Rendered, Say, Values, renders, show_said
from lessons.teaching.templates import filled


def show_table(lines: Grid, title: str = "", note: str = "", **values: Any) -> None:
    """Shows it in a notebook as Markdown, elsewhere as text; `title` above and `note` below it take values."""
    show_said("show_table", [title, note], {"lines": [list(line) for line in lines], **values})


@renders("show_table")
def rendered_table(texts: Sequence[str], values: Values, say: Say) -> Rendered:
    title, note = (filled(text, values) for text in texts)
    bold = f"**{title}**" if title else ""
    plain, rich = (
        "\n\n".join(filter(None, parts))
        for parts in ((title, as_text(values["lines"]), note), (bold, as_markdown(values["lines"]), note))
    )
    return Rendered(plain, rich)
