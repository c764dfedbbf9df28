"""A plan as a table, several as a table and as stacked bars."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Column, Table

from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, NOTE, ORANGE, PINK, SKY, STYLE, WINE, YELLOW, saved
from lessons.language.message import in_language
from lessons.language.words import say, tell
from lessons.memory.plan import KINDS, Plan

GB = 10**9
CARDS = (8, 16, 24, 48, 80)
TOGETHER = (1, 2, 8)
COLOURS = dict(zip(KINDS, (BEFORE, SKY, INDIGO, WINE, YELLOW, ORANGE, PINK, GREEN, BLACK, NOTE), strict=True))


def print_plan(plan: Plan, console: Console) -> None:
    """Each kind of byte on a line of its own, and what it is."""
    table = Table("", "GB", "%", say("what it is"), title=title(plan))
    for kind, size in plan.bytes.items():
        if size:
            table.add_row(say(kind), gigabytes(size), f"{100 * size / plan.total:.1f}", say(KINDS[kind]))
    table.add_section()
    table.add_row(say("total"), gigabytes(plan.total), "100", in_language(fits(plan)))
    console.print(table)


def title(plan: Plan) -> str:
    """In the language that is spoken."""
    trained = in_language(f"{plan.trained:,} of {plan.parameters:,} numbers trained")
    return f"{plan.setting.model}, {plan.setting.method}, {in_language(circumstances(plan))}\n{trained}"


def circumstances(plan: Plan) -> str:
    """What two plans must share to be compared."""
    asked = plan.setting
    checkpointing = "with checkpointing" if asked.checkpointing else "without checkpointing"
    rank = f", rank {asked.rank}" if asked.rank else ""
    cards = f", on each of {asked.cards} cards" if asked.cards > 1 else ""
    return f"batch {asked.batch} of {asked.length} tokens, {checkpointing}, {asked.optimizer}{rank}{cards}"


def fits(plan: Plan) -> str:
    """The smallest usual card. Its gigabytes are taken as 10⁹ bytes, a little less than what it has."""
    card = next((card for card in CARDS if plan.total <= card * GB), None)
    if plan.setting.cards > 1:
        return (
            f"fits {plan.setting.cards} cards of {card or CARDS[-1]} GB"
            if card
            else f"more than {CARDS[-1]} GB on each"
        )
    return f"fits a card of {card} GB" if card else f"fits no single card of {CARDS[-1]} GB"


def print_cards(plans: Sequence[Plan], console: Console) -> None:
    """The same on more and more cards."""
    what = f"{plans[0].setting.model}, {plans[0].setting.method}, sharded"
    table = Table(say("cards"), say("GB on each"), say("gathered"), "", title=in_language(what))
    for plan in plans:
        table.add_row(
            str(plan.setting.cards), gigabytes(plan.total), gigabytes(plan.bytes["gathered"]), in_language(fits(plan))
        )
    console.print(table)


def print_plans(plans: Sequence[Plan], refused: Mapping[str, str], console: Console) -> None:
    """One line for each technique, the same kinds in columns; below, why some have no place."""
    kinds = [kind for kind in KINDS if any(plan.bytes[kind] for plan in plans)]
    said = f"{plans[0].setting.model}, {in_language(circumstances(plans[0]))}"
    table = Table(Column("GB", no_wrap=True), *map(say, kinds), say("total"), title=said)
    for plan in plans:
        sizes = [gigabytes(plan.bytes[kind]) if plan.bytes[kind] else "" for kind in kinds]
        table.add_row(plan.setting.method, *sizes, gigabytes(plan.total))
    console.print(table)
    for reason in refused.values():
        method, _, why = reason.partition(": ")
        console.print(tell("left out: {reason}", reason=f"{method}: {in_language(why)}"), highlight=False)


def gigabytes(size: int) -> str:
    """Three places, or as many as show that it is not nothing."""
    return f"{size / GB:.3f}" if size >= GB / 1000 else f"{size / GB:.1g}"


def draw(plans: Sequence[Plan], path: Path) -> Path:
    """Stacked bars, one for each technique. A bar that is too long for the others says its length."""
    with matplotlib.rc_context(STYLE):
        return saved(bars(plans), path)


def bars(plans: Sequence[Plan]) -> Figure:
    figure, axis = plt.subplots(figsize=(9, 1.6 + 0.34 * len(plans)), layout="constrained")
    sizes = sorted(plan.total / GB for plan in plans)
    limit = 1.25 * (sizes[-2] if len(sizes) > 1 and sizes[-1] > 2.5 * sizes[-2] else sizes[-1])
    names = [plan.setting.method for plan in plans]
    starts = [0.0] * len(plans)
    for kind in KINDS:
        widths = [plan.bytes[kind] / GB for plan in plans]
        if any(widths):
            axis.barh(names, widths, left=starts, color=COLOURS[kind], label=f"{kind}: {KINDS[kind]}")
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for row, total in enumerate(starts):
        text = f" {total:.1f}" if total < limit else f"{total:.0f} GB →"
        beyond = total >= limit
        axis.text(0.99 * limit if beyond else total, row, text, va="center", ha="right" if beyond else "left", fontsize=8,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5} if beyond else None)  # fmt: skip
    for card in [card for card in CARDS if limit / 7 < card < limit]:
        axis.axvline(card, color=NOTE, linestyle=":", linewidth=1)
        axis.text(card, -0.8, f"{card} GB card ", ha="right", fontsize=7, color=NOTE)
    axis.set_xlim(0, limit)
    axis.set_ylim(len(plans) - 0.4, -1.2)
    axis.set_xlabel("GB (10⁹ bytes)")
    axis.set_title(f"{plans[0].setting.model}: {circumstances(plans[0])}", fontsize=10)
    figure.legend(loc="outside lower center", fontsize=7, ncols=2)
    return figure


def as_json(plans: Sequence[Plan], refused: Mapping[str, str]) -> dict[str, Any]:
    rows = [asdict(plan) | {"total": plan.total} for plan in plans]
    return {"kinds": KINDS, "plans": rows, "refused": dict(refused)}
