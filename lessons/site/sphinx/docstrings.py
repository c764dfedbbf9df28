"""Our docstrings are text, not reStructuredText: paragraphs, aligned lines as they stand, `code`."""

import re
from typing import Any


def as_rest(lines: list[str]) -> list[str]:
    """The same in reStructuredText."""
    made: list[str] = []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        rows = block.splitlines()
        if any(row.startswith("  ") or re.search(r"\S {2,}\S", row) for row in rows):
            made += ["::", "", *("    " + row for row in rows), ""]
        else:
            made += [*(escaped(row) for row in rows), ""]
    return made


def escaped(row: str) -> str:
    """`code` as ``code``; what reStructuredText would take for a mark keeps its look."""
    pieces = re.split(r"(`[^`]+`)", row)
    return "".join(f"`{piece}`" if piece.startswith("`") else re.sub(r"([\\*|_])", r"\\\1", piece) for piece in pieces)


def process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rest(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
