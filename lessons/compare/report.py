"""What the comparison found: report.json, the statistics over seeds, and the table on the terminal."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lessons.compare.row import BASE, SCRATCH
from lessons.task.base import base_folder, model_card

Row = dict[str, Any]
CURVE_POINTS = 60


def make_report(rows: Sequence[Row], run: Mapping[str, Any]) -> dict[str, Any]:
    """report.json: the base's errors, a row for each technique and seed, the rows that crashed, and what was run."""
    finished = [row for row in rows if row["method"] != BASE and "failed" not in row]
    base = next(row for row in rows if row["method"] == BASE)
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
    kept = {name: value for name, value in row.items() if name not in ("said", "losses")}
    removed = base["british"]["phoneme_error"] - row["british"]["phoneme_error"]
    per_thousand = None if row["method"] == SCRATCH else removed / row["trainable_parameters"] * 1000
    return {**kept, "error_removed_per_1000_parameters": per_thousand, "loss_curve": curve(row["losses"])}


def curve(losses: Sequence[float], points: int = CURVE_POINTS) -> list[tuple[int, float]]:
    """(step, mean loss up to it since the point before): a curve that is short enough to keep."""
    width = max(1, round(len(losses) / points))
    starts = range(0, len(losses), width)
    return [(min(start + width, len(losses)), mean(losses[start : start + width])) for start in starts]


def by_method(report: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of each technique, one for each seed, in the order of the report."""
    methods: dict[str, list[Row]] = {}
    for row in report["rows"]:
        methods.setdefault(row["method"], []).append(row)
    return methods


def spread(rows: Sequence[Row], value: Callable[[Row], float | None]) -> tuple[float, float] | None:
    """Mean and standard deviation over the seeds (0 for one seed); None where a row has no such value."""
    values = [found for row in rows if (found := value(row)) is not None]
    if len(values) < len(rows):
        return None
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def shown(rows: Sequence[Row], value: Callable[[Row], float | None], form: str = ".1f") -> str:
    """ "mean", or "mean ± sd" over several seeds, or a dash."""
    found = spread(rows, value)
    if found is None:
        return "–"
    return f"{found[0]:{form}} ± {found[1]:{form}}" if len(rows) > 1 else f"{found[0]:{form}}"


def percent(accent: str, kind: str) -> Callable[[Row], float | None]:
    return lambda row: row[accent] and 100 * row[accent][kind]


def removed(row: Row) -> float | None:
    """Points of British phoneme error that a thousand trained parameters take away."""
    value = row["error_removed_per_1000_parameters"]
    return None if value is None else 100 * value


# (heading in the page, heading on the terminal or "" to leave it out there, cell)
COLUMNS: tuple[tuple[str, str, Callable[[list[Row]], str]], ...] = (
    ("trained parameters", "trained", lambda rows: f"{rows[0]['trainable_parameters']:,}"),
    ("% of all", "%", lambda rows: f"{rows[0]['trainable_percent']:.2f}"),
    ("adapter, kB", "kB", lambda rows: f"{rows[0]['adapter_bytes'] / 1000:,.0f}"),
    ("seconds", "s", lambda rows: shown(rows, lambda row: row["seconds"], ".0f")),
    ("peak memory, MB", "MB", lambda rows: f"{max(row['peak_memory_bytes'] for row in rows) / 1e6:.0f}"),
    ("British PER, %", "Brit.\nPER", lambda rows: shown(rows, percent("british", "phoneme_error"))),
    ("British WER, %", "Brit.\nWER", lambda rows: shown(rows, percent("british", "word_error"))),
    ("American PER, %", "Amer.\nPER", lambda rows: shown(rows, percent("american", "phoneme_error"))),
    ("American WER, %", "Amer.\nWER", lambda rows: shown(rows, percent("american", "word_error"))),
    (
        "the same, switched off",
        "",
        lambda rows: shown(rows, percent("american_disabled", "word_error")),
    ),
    (
        "removed by 1,000",
        "removed",
        lambda rows: shown(rows, removed, ".3f"),
    ),
    ("learning rate", "", lambda rows: f"{rows[0]['learning_rate']:g}"),
)


def base_cells(base: Mapping[str, Any]) -> list[str]:
    errors = [base[accent][kind] for accent in ("british", "american") for kind in ("phoneme_error", "word_error")]
    cells = [""] * 5 + [f"{100 * error:.1f}" for error in errors]
    return cells + [""] * (len(COLUMNS) - len(cells))


def table_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """The cells of the table, on the terminal and in the page: the untouched base first."""
    rows = [[method, *(cell(rows) for _, _, cell in COLUMNS)] for method, rows in by_method(report).items()]
    return [["base", *base_cells(report["base"])], *rows]


def notes(report: Mapping[str, Any]) -> list[str]:
    """What a reader of the table must know."""
    run = report["run"]
    words = "all held-out words" if run["test_words"] == "all" else f"{run['test_words']} held-out words an accent"
    lines = [
        "PER, WER: phoneme and word error in %. Removed: points of British PER that 1,000 trained parameters take away.",
        f"{run['train_words']:,} British words, {run['steps']} steps, {words}.",
    ]
    if run["seeds"] > 1:
        lines.append(f"Mean ± standard deviation over {run['seeds']} seeds.")
    if rows := sorted({row["trained_rows"] for row in report["rows"] if row["trained_rows"]}):
        count = " or ".join(f"{number:,}" for number in rows)
        lines.append(f"{count} of the trained parameters are the row of ɒ, a sound that American English never uses.")
    margin = ", by the seeds' spread" if run["seeds"] > 1 else ""
    if losers := no_better(report):
        lines.append(f"No better at British words than the untouched base{margin}: {', '.join(losers)}.")
    return lines


def no_better(report: Mapping[str, Any]) -> list[str]:
    """The techniques whose British word error lies less than its spread below the base's."""
    before = 100 * report["base"]["british"]["word_error"]
    found = {method: spread(rows, percent("british", "word_error")) for method, rows in by_method(report).items()}
    return [method for method, value in found.items() if value and value[0] + value[1] >= before]


def print_table(report: Mapping[str, Any], console: Console) -> None:
    table = Table(title="One base, many fine-tunings", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    headings = ["technique", *(heading for _, heading, _ in COLUMNS)]
    for index, heading in enumerate(headings):
        if heading:
            table.add_column(heading, justify="right" if index else "left", vertical="bottom", no_wrap=True)
    for index, cells in enumerate(table_rows(report)):
        shown_cells = (cell for cell, heading in zip(cells, headings, strict=True) if heading)
        table.add_row(*shown_cells, end_section=index == 0)
    console.print(table)
    console.print("\n".join(notes(report)), highlight=False)
    for row in report["failed"]:
        console.print(f"[red]{row['method']} (seed {row['seed']}) failed:[/] {escape(row['failed'])}", highlight=False)
