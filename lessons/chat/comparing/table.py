"""The comparison's tables: a line for the untouched model and one for each technique, on the terminal, in the page, in README.

`exact` is the share of greedy answers that are exactly right. Nats are what a token of plain English, and of the untouched
model's own answers in a chat, costs more than before: the forgetting.
"""

from collections.abc import Sequence

from lessons.chat.comparing.report import (
    GROUPS,
    TO_LEARN,
    Report,
    Row,
    accuracy,
    by_method,
    items_in,
    lost,
    seeds_of,
    shares,
    tasks_of,
)
from lessons.chat.training.spelling import KINDS
from lessons.drawing.means import percents, shown

Lines = list[list[str]]
LOSSES = ("english_nats", "chat_nats")
COST = ("trained", "adapter, KB", "rate", "s of processor", "peak MB")
MORE = {
    "spelling": (("never: form", "never", "form"), ("never: words", "never", "spelling")),
    "sentiment": (),
}


def percent(values: Sequence[float]) -> str:
    return shown(percents(values), ".0f") if values else "–"


def headings(task: str) -> list[str]:
    more = [heading for heading, _, _ in MORE[task]] or ["mean", "mean, calibrated"]
    return ["technique", *GROUPS[task], *more, "English, nats", "chat, nats", *COST]


def accuracies(rows: Sequence[Row], task: str) -> list[str]:
    """The cells between the name and the forgetting."""
    cells = [percent([share for row in rows for share in shares(row, [group])]) for group in GROUPS[task]]
    if MORE[task]:
        return cells + [
            percent([share for row in rows for share in shares(row, [group], side)]) for _, group, side in MORE[task]
        ]
    return cells + [percent([accuracy(row, side) for row in rows]) for side in ("exact", "calibrated")]


def base_line(base: Row, task: str) -> list[str]:
    nats = [f"{base[what]:.2f}" for what in LOSSES]
    return ["the model, untouched", *accuracies([base], task), *nats, *[""] * len(COST)]


def technique_line(method: str, rows: Sequence[Row], base: Row) -> list[str]:
    first = rows[0]
    nats = [shown(lost(rows, base, what), "+.2f") for what in LOSSES]
    cost = [
        f"{first['trainable_parameters']:,}",
        f"{first['adapter_bytes'] / 1000:,.0f}",
        f"{first['learning_rate']:g}",
        shown([row["processor_seconds"] for row in rows], ".0f"),
        f"{max(row['peak_memory_bytes'] for row in rows) / 1e6:.0f}",
    ]
    return [f"`{method}`", *accuracies(rows, base["task"]), *nats, *cost]


def lines_of(report: Report, task: str) -> Lines:
    """The table of a task, the best technique first."""
    base = report["base"][task]
    return [
        headings(task),
        base_line(base, task),
        *(technique_line(method, rows, base) for method, rows in by_method(report, task).items()),
    ]


def short_lines(report: Report) -> Lines:
    """Both tasks in one table of a few columns; a technique that has no row of a task yet has dashes there."""
    found = {task: by_method(report, task) for task in tasks_of(report)}
    names = [f"spelling: {kind}" for kind in KINDS] if "spelling" in found else []
    names += ["sentiment", "… calibrated"] if "sentiment" in found else []
    head = ["technique", "trained", *names, *(f"chat, nats: {task}" for task in found)]
    untouched = [cell for task in found for cell in short_cells([report["base"][task]], task)]
    nats = [f"{report['base'][task]['chat_nats']:.2f}" for task in found]
    lines = [head, ["the model, untouched", "", *untouched, *nats]]
    for method in dict.fromkeys(method for rows in found.values() for method in rows):
        first = next(rows[method][0] for rows in found.values() if method in rows)
        cells = [cell for task, rows in found.items() for cell in short_cells(rows.get(method, []), task)]
        cells += [
            shown(lost(rows[method], report["base"][task], "chat_nats"), "+.2f") if method in rows else "–"
            for task, rows in found.items()
        ]
        lines.append([f"`{method}`", f"{first['trainable_parameters']:,}", *cells])
    return lines


def short_cells(rows: Sequence[Row], task: str) -> list[str]:
    cells = accuracies(rows, task) if rows else ["–"] * (len(GROUPS[task]) + 2)
    return cells[: len(KINDS)] if task == "spelling" else cells[-2:]


def notes(report: Report) -> list[str]:
    """What a reader of the tables must know."""
    run, seeds = report["run"], seeds_of(report)
    lines = [
        "Accuracy: % of greedy answers that are exactly right, in one pass with the reference before each place.",
        f"{run['steps']} steps of at most {run['batch_tokens']} tokens, on {run['threads']} thread; rates: {run['rates']}.",
        *(f"{task.capitalize()}: {items_in(report, task)} held-out items." for task in tasks_of(report)),
        f"Nats a token, and what is added to them: on {run['english']} English texts, and on the untouched model's own "
        f"answers to {run['prompts']} prompts.",
        f"{'One seed' if seeds == 1 else f'Mean ± standard deviation over {seeds} seeds'}.",
    ]
    if "sentiment" in tasks_of(report):
        lines.append(
            f"Sentiment: three labels, trained on {TO_LEARN['sentiment'][0]} alone. Calibrated: the likeliest label after "
            "each label's mean log-probability on development sentences is taken away, whatever the model would say."
        )
    return lines
