"""Looking: where every adapter sits."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from torch import nn

from peft.frame.core import Core
from peft.frame.counting import trainable_line
from peft.frame.patterns import written_as_one

WIDEST = 60
"""The columns that a site takes at most where several are written as one: of 80, the numbers need the rest."""


def explain(core: Core, console: Console | None = None) -> list[dict[str, Any]]:
    """Prints a table and returns its rows, one for every site of every adapter; the table writes equal rows as one."""
    rows = [row for name in core.adapters for row in adapter_rows(core, name)]
    table = Table(Column("site", overflow="fold"), box=None, pad_edge=False)
    for header in ("×", "parameters"):
        table.add_column(header, justify="right")
    for heading, alike in grouped(rows).items():
        table.add_row(f"[bold]{heading}[/bold]")
        for pattern, count in written_as_one([row["site"] for row in alike], WIDEST):
            table.add_row(f"  {pattern}", str(count), f"{count * alike[0]['parameters']:,}")
    console = console or Console()
    console.print(trainable_line(core), highlight=False)
    console.print(table)
    return rows


def grouped(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Adapter, technique and shape, said once → the sites of which they are true."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shapes = row["shape"] if len(row["shape"]) <= WIDEST - 24 else f"{row['shape'].count(',') + 1} tensors"
        off = "" if row["active"] else " (not active)"
        found.setdefault(f"{row['adapter']}{off}: {row['technique']} {shapes}", []).append(row)
    return found


def adapter_rows(core: Core, name: str) -> list[dict[str, Any]]:
    """What one adapter has at each site: its layers, what they share, its copies of parameters, its rows of tokens."""
    adapter = core.adapters[name]
    parts: list[tuple[str, str, dict[str, nn.Parameter]]] = [
        (path, type(layer).__name__, layer.own_parameters()) for path, layer in adapter.layers.items()
    ]
    if adapter.shared is not None:
        parts.append(("(shared)", type(adapter.shared).__name__, dict(adapter.shared.named_parameters())))
    parts += [(path, "copy", {path: parameter}) for path, parameter in adapter.owned.own_parameters().items()]
    parts += [
        (key.removeprefix("base_model.model."), "trained rows", {key: p}) for key, p in adapter.token_rows().items()
    ]
    return [
        {
            "adapter": name,
            "site": site,
            "technique": technique,
            "shape": ", ".join("×".join(map(str, parameter.shape)) for parameter in own.values()),
            "parameters": sum(parameter.numel() for parameter in own.values()),
            "active": name in core.active,
            "merged": False,
        }
        for site, technique, own in parts
    ]
