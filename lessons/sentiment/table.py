"""The lesson's table: F1 of every technique in every domain, with the published rows below."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def print_table(result: Mapping[str, Any], console: Console) -> None:
    domains, trained_on = list(result["people"]), result["run"]["domain"]
    table = Table(box=box.SIMPLE_HEAD, title=f"Weighted F1 of three classes, trained on half of {trained_on}")
    table.add_column("technique")
    for heading in ("trained", "s", *domains, "r, mean"):
        table.add_column(heading, justify="right")
    for row in result["rows"]:
        tested = [row["tested"][domain] for domain in domains]
        correlation = sum(cell["correlation"] for cell in tested) / len(tested)
        scores = [f"{cell['f1']:.3f}" for cell in tested]
        table.add_row(
            row["method"], f"{row['trainable_parameters']:,}", f"{row['seconds']:.0f}", *scores, f"{correlation:.3f}"
        )
    table.add_section()
    people = [result["people"][domain] for domain in domains]
    mean = sum(cell["correlation"] for cell in people) / len(people)
    table.add_row("people, from the ratings", "", "", *(f"{cell['f1']:.3f}" for cell in people), f"{mean:.3f}")
    table.add_section()
    for name, cells in result["published"].items():
        table.add_row(name, "", "", *(f"{cells[domain]:.2f}" for domain in domains), "")
    console.print(table)
