"""report.html: both tasks' tables, the figures and what was run, in one file that needs no network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from lessons.chat.comparing.report import Report, accuracy, by_method, tasks_of
from lessons.chat.comparing.table import lines_of, notes
from lessons.drawing.page import picture, soft, table, write_page

TITLE = "One language model, many fine-tunings"
NAMES = {"spelling": "British spelling, % of sentences", "sentiment": "Sentiment in three labels, % of sentences"}
CAPTIONS = {
    "chat_spelling": (
        "Spelling, before and after",
        "Every bar starts at the untouched model and ends at the technique.",
    ),
    "chat_sentiment": (
        "Sentiment, before and after",
        "The rings are the calibrated ranking: what is right by it before any step, the model knew already.",
    ),
    "chat_forgetting": ("Forgetting", "Right: more was learnt. Up: the model's own answers have become less likely."),
    "chat_parameters": ("The price", "Fewer trained parameters lie to the left, more right answers above."),
}


def write_report(report: Report, figures: Sequence[Path], path: Path) -> Path:
    """Writes the page whole or not at all."""
    return write_page(TITLE, parts(report, figures), path)


def parts(report: Report, figures: Sequence[Path]) -> list[str]:
    content = [
        "<p>A language model of 135 million parameters learns two tasks by instruction, each by every technique, from the "
        "same examples in the same number of steps.</p>",
        numbers(report),
        *map(soft, notes(report)),
    ]
    for task in tasks_of(report):
        head, *rows = lines_of(report, task)
        content += [f"<h2>{NAMES[task]}</h2>", table(head, [[marked(cell) for cell in row] for row in rows])]
    content += [picture(path, caption, title) for path in figures for title, caption in [CAPTIONS[path.stem]]]
    content += [failure(row["method"], row["seed"], row["failed"]) for row in report["failed"]]
    said = " · ".join(f"{name.replace('_', ' ')} {value}" for name, value in report["run"].items())
    return [*content, "<h2>This run</h2>", soft(said)]


def numbers(report: Report) -> str:
    """Of each task the accuracy before, and the best one after."""
    shown = []
    for task in tasks_of(report):
        shown.append((f"{accuracy(report['base'][task]):.0%}", f"{task}: exactly right before"))
        method, rows = next(iter(by_method(report, task).items()))
        after = sum(map(accuracy, rows)) / len(rows)
        shown.append((f"{after:.0%}", f"{task}: after {method}"))
    cells = "".join(f"<div><b>{value}</b>{escape(what)}</div>" for value, what in shown)
    return f'<div class="numbers">{cells}</div>'


def failure(method: str, seed: int, said: str) -> str:
    return f'<p class="bad">{escape(method)} (seed {seed}) failed: {escape(said)}</p>'


def marked(cell: str) -> str:
    return escape(cell.strip("`"))
