"""The kept comparison of a language model: what README and lesson 30 speak of.

python -m lessons chat --compare --main --out runs/chat-kept
python -m lessons.chat.comparing.kept --ship runs/chat-kept   made lessons/results/chat.json and the figures
python -m lessons.chat.comparing.kept                         prints README's table
python -m lessons.chat.comparing.kept --task spelling         prints a task's whole table
"""

import argparse
import json
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from lessons.chat.comparing.items import TASKS
from lessons.chat.comparing.report import Report, accuracy, by_method, lost, tasks_of
from lessons.chat.comparing.table import lines_of, short_lines
from lessons.drawing.grids import as_markdown
from transformer.learning.formats import read_json, write_json

KEPT = Path(__file__).resolve().parents[2] / "results" / "chat.json"


@cache
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def markdown(report: Report) -> str:
    """README's table: of each technique what both tasks came to, as far as its rows are there."""
    return as_markdown(short_lines(report))


def said(report: Report) -> str:
    """The sentences below the table: the best technique of each task, and the least and the most that was forgotten."""
    sentences = []
    for task in tasks_of(report):
        found, base = by_method(report, task), report["base"][task]
        best, after = next((name, mean_accuracy(rows)) for name, rows in found.items())
        nats = {name: sum(lost(rows, base, "chat_nats")) / len(rows) for name, rows in found.items()}
        most = max(nats, key=nats.__getitem__)
        sentences.append(
            f"{task.capitalize()}: from {accuracy(base):.0%} to {after:.0%} exactly right with `{best}`, the best of "
            f"{len(found)}; the model's own answers cost {nats[best]:+.2f} nats a token after it, and {nats[most]:+.2f} "
            f"after `{most}`, the most."
        )
    return " ".join(sentences)


def mean_accuracy(rows: list[dict[str, Any]]) -> float:
    return sum(map(accuracy, rows)) / len(rows)


def ship(run: Path) -> None:
    """Copies a run's report and figures. Raises ValueError for one whose rows crashed."""
    report = read_json(run / "report.json")
    if report["failed"]:
        names = ", ".join(f"{row['method']} (seed {row['seed']})" for row in report["failed"])
        raise ValueError(f"{run} is not kept: these rows failed: {names}")
    write_json(KEPT, report)
    for figure in run.glob("chat_*.png"):
        shutil.copy(figure, KEPT.parent / figure.name)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lessons.chat.comparing.kept", description="The kept run's table.")
    parser.add_argument("--ship", type=Path, metavar="RUN", help="keep this run")
    parser.add_argument("--task", choices=TASKS, help="the whole table of a task")
    options = parser.parse_args(arguments)
    if options.ship:
        ship(options.ship)
    print(as_markdown(lines_of(kept(), options.task)) if options.task else f"{markdown(kept())}\n\n{said(kept())}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
