"""The wording of a lesson: standard words, no number typed into prose, papers and issues that are links."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode

from lessons.teaching.notebooks import LESSONS, NOTEBOOKS

PRIVATE = {
    r"\bbends?\b": "non-linearity", r"\bdear\b": "expensive", r"\bby chance\b": "at random", r"\bthe exam\b": "the test",
    r"\btold the answer\b": "teacher forcing", r"\bthe kept run\b": "the saved run",
    r"\bthe field\b": "name who", r"\bcheap(er|est)? in numbers\b": "few parameters",
}  # fmt: skip
MEASURED = re.compile(r"\d[\d.,]*\s?%|\d+\.\d+")
PLACE = re.compile(r"\b([Ss]ections?|[Tt]able|[Ff]igure|version) [\d.]*\d")
PAPER = re.compile(r"\b\d{4}\.\d{4,5}\b")
LINK = re.compile(r"\[[^\]]*\]\(([^)]*)\)")


def sections(notebook: NotebookNode) -> list[tuple[str, NotebookNode]]:
    """Each cell with the heading (##) under which it stands; a cell with several headings counts under its last."""
    heading, found = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for piece in re.split(r"(?m)^(?=## )", cell.source):
                heading = piece.partition("\n")[0].removeprefix("## ") if piece.startswith("## ") else heading
                found.append((heading, type(cell)({**cell, "source": piece})))
        else:
            found.append((heading, cell))
    return found


def words(notebook: NotebookNode, templates: Sequence[str]) -> Iterator[str]:
    """Private words, for which the field has one."""
    for text in (*prose_of(notebook), *templates):
        for pattern, better in PRIVATE.items():
            if found := re.search(pattern, text):
                yield f"{found[0]!r}: rather {better}, in {around(text, found)!r}"


def numbers(notebook: NotebookNode, templates: Sequence[str]) -> Iterator[str]:
    """A percentage or a decimal in prose comes from the data: `prose(...)`. Elsewhere: by hand and in its drawing, formulas, code, papers."""
    told = [
        cell.source
        for heading, cell in sections(notebook)
        if cell.cell_type == "markdown"
        and not heading.startswith(("By hand", "The formula"))
        and "numbers" not in cell.metadata.get("tags", [])
    ]
    for text in (*told, *(re.sub(r"\{[^}]*\}", "", template) for template in templates)):
        plain = PLACE.sub("", PAPER.sub("", without_marks(text)))
        for found in MEASURED.finditer(plain):
            yield f"a number typed into prose: {around(plain, found)!r}; prose(...) takes it from the data"


def links(notebook: NotebookNode) -> Iterator[str]:
    """Papers and issues are linked, lessons and files that are linked exist, reading on leads somewhere."""
    reading = "".join(cell.source for heading, cell in sections(notebook) if heading.startswith("Where to read on"))
    if reading.count("](https://") < 3:
        yield "## Where to read on has fewer than three links [title](https://...)"
    for text in prose_of(notebook):
        for target in LINK.findall(text):
            path = target.partition("#")[0]
            if path and not path.startswith("http") and not exists(path):
                yield f"links to {path}, which is not there (links start in lessons/notebooks/)"
        for found in re.finditer(rf"{PAPER.pattern}|\b[\w-]+#\d+\b", without_marks(LINK.sub("", text))):
            yield f"{found[0]} is no link: [{found[0]}](https://...)"


def exists(path: str) -> bool:
    """From the notebooks' folder; a notebook that is not built yet exists by its source."""
    return (
        (LESSONS / Path(path).with_suffix(".py")).is_file() if path.endswith(".ipynb") else (NOTEBOOKS / path).exists()
    )


def prose_of(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def without_marks(text: str) -> str:
    """Without formulas, code and the targets of links."""
    text = re.sub(r"(?s)\$\$.*?\$\$|\$[^$]*\$|```.*?```|`[^`]*`", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def around(text: str, found: re.Match[str]) -> str:
    return " ".join(text[max(0, found.start() - 30) : found.end() + 20].split())
