"""report.html: both tasks' tables, the figures and what was run, in one file that needs no network."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from lessons.chat.comparing.report import Report, Row, accuracy, by_method, tasks_of
from lessons.chat.comparing.table import lines_of, notes
from lessons.compare.page import run_line
from lessons.drawing.page import bad, heading, numbers, paragraph, picture, soft, table, write_page
from lessons.language.message import in_language
from lessons.language.words import say, tell

TITLE = "One language model, many fine-tunings"
NAMES = {"spelling": "British spelling, % of sentences", "sentiment": "Sentiment in three labels, % of sentences"}
WHAT = (
    "A language model of 135 million parameters learns two tasks by instruction, each by every technique, from the "
    "same examples in the same number of steps."
)
CAPTIONS = {
    "chat_spelling": (
        "Spelling, before and after",
        "Every bar starts at the untouched model and ends at the technique.",
    ),
    "chat_sentiment": (
        "Sentiment, before and after",
        "The diamonds are the calibrated ranking: what is right by it before any step, the model knew already.",
    ),
    "chat_forgetting": ("Forgetting", "Right: more was learnt. Up: the model's own answers have become less likely."),
    "chat_parameters": ("The price", "Fewer trained parameters lie to the left, more right answers above."),
}


def write_report(report: Report, figures: Sequence[Path], path: Path) -> Path:
    """Writes the page whole or not at all."""
    return write_page(say(TITLE), parts(report, figures), path)


def parts(report: Report, figures: Sequence[Path]) -> list[str]:
    notes_of = [in_language(note) for note in notes(report)]
    content = [paragraph(say(WHAT)), numbers(remembered(report)), *map(soft, notes_of)]
    for task in tasks_of(report):
        head, *rows = lines_of(report, task)
        cells = [[marked(in_language(cell)) for cell in row] for row in rows]
        content += [heading(say(NAMES[task])), table([in_language(name) for name in head], cells)]
    content += [picture(path, say(caption), say(title)) for path in figures for title, caption in [CAPTIONS[path.stem]]]
    content += [bad(failed(row)) for row in report["failed"]]
    return [*content, heading(say("This run")), soft(run_line(report["run"]))]


def remembered(report: Report) -> Iterator[tuple[str, str]]:
    """Of each task the accuracy before, and the best one after."""
    for task in tasks_of(report):
        method, rows = next(iter(by_method(report, task).items()))
        after = sum(map(accuracy, rows)) / len(rows)
        yield f"{accuracy(report['base'][task]):.0%}", tell("{task}: exactly right before", task=say(task))
        yield f"{after:.0%}", tell("{task}: after {method}", task=say(task), method=method)


def failed(row: Row) -> str:
    """In the language that is spoken."""
    return in_language(f"{row['method']} (seed {row['seed']}) failed: {row['failed']}")


def marked(cell: str) -> str:
    return escape(cell.strip("`"))
