"""What the comparison found: report.json, and the same as its tables and figures ask for it.

base      {task: the untouched model's row}
rows      a row for each technique, task and seed that is finished
failed    those that crashed
run       what was run
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from lessons.chat.comparing.items import TASKS
from lessons.chat.comparing.row import UNTUNED
from lessons.chat.training import measures, sentiment_measures
from lessons.chat.training.spelling import KINDS

Row = dict[str, Any]
Report = Mapping[str, Any]
DOMAINS = ("movies", "tweets", "amazon", "news")
"""The first one is trained on."""
GROUPS = {"spelling": KINDS, "sentiment": DOMAINS}
SIDES = {"spelling": measures.SIDES, "sentiment": sentiment_measures.SIDES}
TO_LEARN = {"spelling": ("seen", "never"), "sentiment": DOMAINS}
"""What a task's accuracy is the mean of; where nothing is to change there is only something to spoil."""


def make_report(rows: Sequence[Row], run: Mapping[str, Any]) -> dict[str, Any]:
    finished = [row for row in rows if "failed" not in row]
    return {
        "run": dict(run),
        "base": {row["task"]: row for row in finished if row["method"] == UNTUNED},
        "rows": [row for row in finished if row["method"] != UNTUNED],
        "failed": [row for row in rows if "failed" in row],
    }


def by_method(report: Report, task: str) -> dict[str, list[Row]]:
    """The rows of a task, seed by seed, the best technique first."""
    found: dict[str, list[Row]] = {}
    for row in report["rows"]:
        if row["task"] == task:
            found.setdefault(row["method"], []).append(row)
    return dict(sorted(found.items(), key=lambda pair: -mean(accuracy(row) for row in pair[1])))


def tasks_of(report: Report) -> list[str]:
    """The tasks that have a base and a finished row."""
    return [task for task in TASKS if task in report["base"] and by_method(report, task)]


def accuracy(row: Row, side: str = "exact") -> float:
    """The mean share over what is to be learnt; kinds of which there is no item are left out."""
    return mean(shares(row, TO_LEARN[row["task"]], side))


def shares(row: Row, groups: Iterable[str], side: str = "exact") -> list[float]:
    return [row["scores"][group][side] for group in groups if group in row["scores"]]


def lost(rows: Sequence[Row], base: Row, what: str) -> list[float]:
    """Nats a token that the untouched model's `what`, "english_nats" or "chat_nats", has become more expensive, row by row."""
    return [row[what] - base[what] for row in rows]


def items_in(report: Report, task: str) -> int:
    return sum(int(group["items"]) for group in report["base"][task]["scores"].values())


def seeds_of(report: Report) -> int:
    """The most seeds that a technique has."""
    return max(
        (len(rows) for task in tasks_of(report) for rows in by_method(report, task).values()),
        default=0,
    )
