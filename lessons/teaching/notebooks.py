"""A lesson as a notebook: made from its source, stripped of what changes from run to run, compared with its source."""

import hashlib
import os
from collections import Counter
from pathlib import Path

import jupytext  # type: ignore[import-untyped]
import nbformat
from nbformat import NotebookNode

from lessons.teaching.said import KEY

LESSONS = Path(__file__).resolve().parent.parent
NOTEBOOKS = LESSONS / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
}

HIDDEN = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}, "cellView": "form"}
"""Folded code, in the words of the site, of Jupyter and of Colab."""


def sources() -> list[Path]:
    """The lessons' files, in the order of the course."""
    return sorted(LESSONS.glob("[0-9][0-9]_*.py"))


def notebook_of(source: Path) -> Path:
    return NOTEBOOKS / f"{source.stem}.ipynb"


def read_lesson(source: Path) -> NotebookNode:
    """The cells of a lesson, not executed. A cell's id is made from its text, so that it moves with it."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        text = hashlib.sha1(f"{cell.cell_type}\n{cell.source}".encode(), usedforsecurity=False).hexdigest()[:10]
        cell.id = f"{text}-{seen[text]}" if seen[text] else text
        cell.metadata = metadata_of(cell)
        seen[text] += 1
    return notebook


def is_hidden(cell: NotebookNode) -> bool:
    """A code cell of the source that begins `# %% tags=["hide-input"]`, and its like in a notebook."""
    return cell.cell_type == "code" and "hide-input" in cell.metadata.get("tags", [])


def metadata_of(cell: NotebookNode) -> NotebookNode:
    """The tags of the source, and what else folds a cell."""
    tags = {"tags": list(cell.metadata["tags"])} if cell.metadata.get("tags") else {}
    return nbformat.from_dict(HIDDEN if is_hidden(cell) else tags)


def strip(notebook: NotebookNode) -> NotebookNode:
    """Takes away what differs from one run to the next though nothing has changed: timings, the kernel's version."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = metadata_of(cell)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            if "metadata" in output and "image/png" not in output.get("data", {}):
                output.metadata = nbformat.from_dict(
                    {name: output.metadata[name] for name in (KEY,) if name in output.metadata}
                )
    return notebook


def write(notebook: NotebookNode, file: Path) -> None:
    """Beside its name first, then into place: a killed run leaves the old notebook whole."""
    nbformat.validate(notebook)
    file.parent.mkdir(exist_ok=True)
    beside = file.with_suffix(".part")
    beside.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    os.replace(beside, file)


def cells_of(notebook: NotebookNode) -> list[tuple[str, str]]:
    kinds = {True: "hidden code", False: ""}
    return [(kinds[is_hidden(cell)] or cell.cell_type, cell.source) for cell in notebook.cells]


def out_of_step(source: Path) -> str:
    """What a kept notebook lacks against its source, in words; empty when the cells are equal."""
    file = notebook_of(source)
    if not file.is_file():
        return "has no notebook"
    wanted, kept = cells_of(read_lesson(source)), cells_of(nbformat.read(file, as_version=4))
    for number, (new, old) in enumerate(zip(wanted, kept), start=1):
        if new != old:
            return (
                f"cell {number} differs: the source begins {first_line(new[1])!r}, the notebook {first_line(old[1])!r}"
            )
    return "" if len(wanted) == len(kept) else f"has {len(wanted)} cells, its notebook {len(kept)}"


def first_line(text: str) -> str:
    return text.partition("\n")[0][:70]
