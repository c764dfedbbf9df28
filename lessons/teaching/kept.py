"""The kept full run of `compare` in a lesson: the rows it speaks of as a table, and single means for a sentence.

python -m lessons compare --seeds 5 --test-words all        made lessons/results/report.json
"""

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

from lessons.compare.kept import kept_report
from lessons.compare.report import Row, by_method
from lessons.compare.table import error
from lessons.drawing.grids import as_markdown, as_text
from lessons.drawing.means import shown
from lessons.teaching.said import Rendered, Say, Values, renders, show_said

Cell = Callable[[list[Row]], str]
COLUMNS: dict[str, Cell] = {
    "trained": lambda rows: f"{rows[0]['trainable_parameters']:,}",
    "file, kB": lambda rows: f"{rows[0]['adapter_bytes'] / 1000:,.0f}",
    "seconds": lambda rows: shown((row["seconds"] for row in rows), ".0f"),
    "peak, MB": lambda rows: shown((row["peak_memory_bytes"] / 1e6 for row in rows), ",.0f"),
    "British PER": error("british", "phoneme_error"),
    "British WER": error("british", "word_error"),
    "American PER, on": error("american", "phoneme_error"),
    "off": lambda rows: error("american_disabled", "phoneme_error")(rows[:1]),
}

UNTUNED = "base, untuned"


def kept_rows(method: str) -> list[Row]:
    """The rows of a technique, one for each seed. Raises ValueError with the names that there are."""
    methods = by_method(kept_report())
    if method not in methods:
        raise ValueError(f"the kept run has no row {method!r}; there are {', '.join(methods)}")
    return methods[method]


def kept_mean(method: str, *keys: str) -> float:
    """The mean over the seeds of one number: `kept_mean("lora", "british", "phoneme_error")`."""
    values: list[Any] = kept_rows(method)
    for key in keys:
        values = [value[key] for value in values]
    return mean(values)


def kept_run(*methods: str) -> None:
    """Shows these techniques' rows, errors in per cent as mean ± sd over the seeds, and the base below them."""
    show_said("kept_run", [], {"methods": methods})


@renders("kept_run")
def rendered_run(texts: Sequence[str], values: Values, say: Say) -> Rendered:
    base, methods = kept_report()["base"], values["methods"]
    errors = [base["british"]["phoneme_error"], base["british"]["word_error"], base["american"]["phoneme_error"]]
    lines = [
        ["", *map(say, COLUMNS)],
        *([method, *(cell(kept_rows(method)) for cell in COLUMNS.values())] for method in methods),
    ]
    lines.append([say(UNTUNED), *[""] * (len(COLUMNS) - 4), *(f"{100 * error:.1f}" for error in errors), ""])
    return Rendered(as_text(lines), as_markdown(lines))
