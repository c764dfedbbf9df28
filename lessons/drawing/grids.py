"""A grid of cells as aligned text and as Markdown: the first line is the head, the first column the names."""

from collections.abc import Sequence

from rich.cells import cell_len

from lessons.language.wrapping import padded, padded_left

Grid = Sequence[Sequence[str]]


def as_text(lines: Grid) -> str:
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([padded(name, widths[0]), *map(padded_left, cells, widths[1:])]) for name, *cells in lines
    )


def as_markdown(lines: Grid) -> str:
    rule = "|".join(["", "---", *["---:"] * (len(lines[0]) - 1), ""])
    head, *body = ("".join(f"| {cell} " if cell else "| " for cell in line) + "|" for line in lines)
    return "\n".join([head, rule, *body])
