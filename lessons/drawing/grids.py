"""A grid of cells as aligned text and as Markdown: the first line is the head, the first column the names."""

from collections.abc import Sequence

Grid = Sequence[Sequence[str]]


def as_text(lines: Grid) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in lines
    )


def as_markdown(lines: Grid) -> str:
    rule = "|".join(["", "---", *["---:"] * (len(lines[0]) - 1), ""])
    head, *body = ("".join(f"| {cell} " if cell else "| " for cell in line) + "|" for line in lines)
    return "\n".join([head, rule, *body])
