"""The lesson's table: F1 of every technique in every domain, with the rows of VADER's paper below."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from lessons.drawing import grids
from lessons.language.message import in_language

HEADINGS = ("", "trained", "s")


def sections(result: Mapping[str, Any]) -> list[list[list[str]]]:
    """The cells: what was trained here, what people reach, what VADER's paper reports."""
    domains = list(result["people"])
    learnt = [
        [row["method"], f"{row['trainable_parameters']:,}", f"{row['seconds']:.0f}", *scores(row["tested"])]
        for row in result["rows"]
    ]
    people = ["people, from the ratings", "", "", *scores(result["people"])]
    published = [
        [name, "", "", *(f"{cells[domain]:.2f}" for domain in domains), ""]
        for name, cells in result["published"].items()
    ]
    return [learnt, [people], published]


def scores(cells: Mapping[str, Mapping[str, float]]) -> list[str]:
    """F1 in each domain, and the mean over the domains of the correlation with the mean rating."""
    mean = sum(cell["correlation"] for cell in cells.values()) / len(cells)
    return [*(f"{cell['f1']:.3f}" for cell in cells.values()), f"{mean:.3f}"]


def print_table(result: Mapping[str, Any], console: Console) -> None:
    title = in_language(f"Weighted F1 of three classes, trained on half of {result['run']['domain']}")
    table = Table(box=box.SIMPLE_HEAD, title=title)
    for heading in (*HEADINGS, *result["people"], "r, mean"):
        table.add_column(in_language(heading), justify="right" if heading else "left")
    for rows in sections(result):
        for row in rows:
            table.add_row(*map(in_language, row))
        table.add_section()
    console.print(table)


def as_markdown(result: Mapping[str, Any]) -> str:
    """The same table for README.md."""
    headings = (*HEADINGS, *result["people"], "r, mean")
    return grids.as_markdown([headings, *(row for rows in sections(result) for row in rows)])
