"""What the comparison found: report.json, and the same as those who show it ask for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lessons.compare.row import UNTUNED
from lessons.drawing.means import mean_sd, percents
from lessons.task.base import base_folder, model_card
from lessons.task.techniques import SCRATCH

Row = dict[str, Any]
ACCENTS = ("british", "american")


def make_report(rows: Sequence[Row], run: Mapping[str, Any]) -> dict[str, Any]:
    """report.json: the base's errors, a row for each technique and seed, the rows that crashed, and what was run."""
    finished = [row for row in rows if row["method"] != UNTUNED and "failed" not in row]
    base = next(row for row in rows if row["method"] == UNTUNED)
    return {
        "base": {"american": base["american"], "british": base["british"], "model_card": card()},
        "rows": [report_row(row, base) for row in finished],
        "failed": [row for row in rows if "failed" in row],
        "run": dict(run),
    }


def card() -> dict[str, Any]:
    """The base's model card; a base that was just trained may not have one yet."""
    return model_card() if (base_folder() / "card.json").is_file() else {}


def report_row(row: Row, base: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in ("said", "setting")}
    removed = base["british"]["phoneme_error"] - row["british"]["phoneme_error"]
    per_thousand = None if row["method"] == SCRATCH else removed / row["trainable_parameters"] * 1000
    return {**kept, "error_removed_per_1000_parameters": per_thousand}


@dataclass(frozen=True)
class Comparison:
    """A report, its rows by technique.

    `base`         the untouched base: accent → {"phoneme_error", "word_error"}, fractions
    `methods`      technique → its rows, one for each seed, in the order of the report
    `before`       accent → the base's word error in per cent
    `word_error`   (technique, accent) → mean and standard deviation over the seeds, in per cent
    `best_first`   the techniques by their best British word error
    `failed`       the rows that crashed
    `run`          what was run, and where
    """

    base: Mapping[str, Any]
    methods: Mapping[str, list[Row]]
    before: Mapping[str, float]
    word_error: Mapping[tuple[str, str], tuple[float, float]]
    best_first: Sequence[str]
    failed: Sequence[Row]
    run: Mapping[str, Any]


def comparison(report: Mapping[str, Any]) -> Comparison:
    """What a report.json holds, for those who show it."""
    base, methods = report["base"], by_method(report)
    before = {accent: 100 * base[accent]["word_error"] for accent in ACCENTS}
    after = {
        (method, accent): mean_sd(errors_of(rows, accent, "word_error")) or (before[accent], 0.0)
        for method, rows in methods.items()
        for accent in ACCENTS
    }
    best_first = sorted(methods, key=lambda method: min(row["british"]["word_error"] for row in methods[method]))
    return Comparison(base, methods, before, after, best_first, report["failed"], report["run"])


def by_method(report: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of each technique, one for each seed, in the order of the report."""
    methods: dict[str, list[Row]] = {}
    for row in report["rows"]:
        methods.setdefault(row["method"], []).append(row)
    return methods


def prepared_bases(methods: Mapping[str, list[Row]]) -> dict[str, Row]:
    """Technique → the first row of those that prepare their base, in 4 bits say: it holds that base's own errors."""
    return {method: rows[0] for method, rows in methods.items() if "base_british" in rows[0]}


def errors_of(rows: Sequence[Row], accent: str, kind: str) -> list[float | None]:
    """One error of every row, in per cent; None where the row has none. `accent` may be "american_disabled"."""
    return percents(row[accent] and row[accent][kind] for row in rows)
