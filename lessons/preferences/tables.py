"""The results as tables: what each arm ended with, mean ± sd over seeds, and answers to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from lessons.drawing.means import shown
from lessons.language.message import in_language
from lessons.language.words import say, tell

COLUMNS = {
    "notes": (("proxy", "proxy", 1.0, ".2f"), ("gold", "gold", 1.0, ".2f"), ("kl", "KL, nats", 1.0, ".1f"), ("length", "length", 1.0, ".1f")),
    "words": (
        ("proxy", "proxy", 1.0, ".2f"),
        ("gold", "minus edits", 1.0, ".2f"),
        ("phoneme_error", "PER, %", 100.0, ".1f"),
        ("word_error", "WER, %", 100.0, ".1f"),
        ("kl", "KL, nats", 1.0, ".1f"),
        ("length", "length", 1.0, ".1f"),
    ),
}  # fmt: skip
TITLES = {
    "notes": "Extractive notes: what each arm ended with on held-out sources",
    "words": "British pronunciations: sampled answers, and greedy errors, on held-out words",
}


def rows_by_arm(report: Mapping[str, Any], world: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of each arm, one for each seed, in the order of the report."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for row in report["rows"]:
        if row["world"] == world:
            arms.setdefault(row["arm"], []).append(row)
    return arms


def cells(rows: Iterable[Mapping[str, Any]], world: str) -> list[str]:
    finals = [row["final"] for row in rows]
    return [
        shown([scale * final[name] for final in finals if name in final], form)
        for name, _, scale, form in COLUMNS[world]
    ]


def lines(report: Mapping[str, Any], world: str) -> list[list[str]]:
    """What each arm of a world ended with; the headings first."""
    head = ["arm", *(title for _, title, _, _ in COLUMNS[world])]
    return [head, *([arm, *cells(rows, world)] for arm, rows in rows_by_arm(report, world).items())]


def tables(report: Mapping[str, Any]) -> list[Table]:
    found = []
    for world in COLUMNS:
        if arms := rows_by_arm(report, world):
            table = Table(title=say(TITLES[world]), caption=judge_line(arms["reference"]))
            head, *rows = lines(report, world)
            for header in head:
                table.add_column(in_language(header), justify="left" if header == "arm" else "right")
            for row in rows:
                table.add_row(*map(in_language, row))
            found.append(table)
    return found


def judge_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """In the language that is spoken."""
    return tell(
        "the reward model: right on {accuracy} of held-out pairs, correlation with the truth {correlation}",
        **judge(rows),
    )


def judge(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """How good the reward model of a world is, mean ± sd over the seeds."""
    return {name: shown([row[name] for row in rows], ".2f") for name in ("accuracy", "correlation")}
