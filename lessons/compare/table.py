"""The comparison as one table, on the terminal and in the page: a line for the base and one for each technique."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lessons.compare.report import ACCENTS, Comparison, Row, errors_of, prepared_bases
from lessons.drawing.means import percents, shown
from lessons.language.message import in_language
from lessons.language.words import say

KINDS = ("phoneme_error", "word_error")


def error(accent: str, kind: str) -> Callable[[list[Row]], str]:
    return lambda rows: shown(errors_of(rows, accent, kind))


def removed(rows: Sequence[Row]) -> str:
    """Points of British phoneme error that a thousand trained parameters take away."""
    return shown(percents(row["error_removed_per_1000_parameters"] for row in rows), ".3f")


# (heading in the page, heading on the terminal or "" to leave it out there, cell)
COLUMNS: tuple[tuple[str, str, Callable[[list[Row]], str]], ...] = (
    ("trained parameters", "trained", lambda rows: f"{rows[0]['trainable_parameters']:,}"),
    ("% of all", "%", lambda rows: f"{rows[0]['trainable_percent']:.2f}"),
    ("adapter, kB", "kB", lambda rows: f"{rows[0]['adapter_bytes'] / 1000:,.0f}"),
    ("seconds", "s", lambda rows: shown((row["seconds"] for row in rows), ".0f")),
    ("peak memory of the process, MB", "MB", lambda rows: f"{max(row['peak_memory_bytes'] for row in rows) / 1e6:.0f}"),
    ("British PER, %", "Brit.\nPER", error("british", "phoneme_error")),
    ("British WER, %", "Brit.\nWER", error("british", "word_error")),
    ("American PER, %", "Amer.\nPER", error("american", "phoneme_error")),
    ("American WER, %", "Amer.\nWER", error("american", "word_error")),
    ("the same, switched off", "", error("american_disabled", "word_error")),
    ("removed by 1,000", "removed", removed),
    ("learning rate", "", lambda rows: f"{rows[0]['learning_rate']:g}"),
)


def table_rows(found: Comparison) -> list[list[str]]:
    """The cells: first the untouched base, and that base as some techniques prepare it, before any adapter."""
    rows = [[method, *(cell(rows) for _, _, cell in COLUMNS)] for method, rows in found.methods.items()]
    return [*base_rows(found), *rows]


def base_rows(found: Comparison) -> list[list[str]]:
    prepared = prepared_bases(found.methods)
    bases = [[found.base[accent] for accent in ACCENTS]]
    bases += [[row[f"base_{accent}"] for accent in ACCENTS] for row in prepared.values()]
    names = ["base", *(f"base of {method}" for method in prepared)]
    return [[name, *base_cells(errors)] for name, errors in zip(names, bases, strict=True)]


def base_cells(errors: Sequence[Mapping[str, float]]) -> list[str]:
    cells = [""] * 5 + [f"{100 * accent[kind]:.1f}" for accent in errors for kind in KINDS]
    return cells + [""] * (len(COLUMNS) - len(cells))


def notes(found: Comparison) -> list[str]:
    """What a reader of the table must know."""
    run = found.run
    tested = "all held-out words" if run["test_words"] == "all" else f"{run['test_words']} held-out words an accent"
    lines = [
        "PER, WER: phoneme and word error in %. Removed: points of British PER that 1,000 trained parameters take away.",
        f"{run['train_words']:,} British words, {run['steps']} steps, {tested}.",
    ]
    if run["seeds"] > 1:
        lines.append(f"Mean ± standard deviation over {run['seeds']} seeds.")
    if trained := {row["trained_rows"] for rows in found.methods.values() for row in rows if row["trained_rows"]}:
        count = " or ".join(f"{number:,}" for number in sorted(trained))
        lines.append(f"{count} of the trained parameters are the row of ɒ, a sound that American English never uses.")
    if prepared := prepared_bases(found.methods):
        lines.append(f"The base of {', '.join(prepared)} is the same base in 4 bits, before any adapter stands in it.")
    lines += memory_note(found)
    margin = ", by the seeds' spread" if run["seeds"] > 1 else ""
    if losers := no_better(found):
        lines.append(f"No better at British words than the untouched base{margin}: {', '.join(losers)}.")
    return lines


def memory_note(found: Comparison) -> list[str]:
    """What is in the peak memory; nothing for a run that did not measure it."""
    before = [
        row["memory_before_bytes"] for rows in found.methods.values() for row in rows if "memory_before_bytes" in row
    ]
    if not before:
        return []
    return [
        "Peak memory: the most that the row's process held (resident set size), with Python and PyTorch in it: "
        f"{mean(before) / 1e6:.0f} MB were there before training."
    ]


def no_better(found: Comparison) -> list[str]:
    """The techniques whose British word error lies less than its spread below the base's."""
    before = found.before["british"]
    return [method for method in found.methods if sum(found.word_error[method, "british"]) >= before]


def print_table(found: Comparison, console: Console) -> None:
    table = Table(title=say("One base, many fine-tunings"), box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    headings = ["technique", *(heading for _, heading, _ in COLUMNS)]
    for index, heading in enumerate(headings):
        if heading:
            table.add_column(say(heading), justify="right" if index else "left", vertical="bottom", no_wrap=True)
    bases = base_rows(found)
    for index, cells in enumerate(table_rows(found)):
        shown_cells = (cell for cell, heading in zip(cells, headings, strict=True) if heading)
        table.add_row(*(in_language(cell) for cell in shown_cells), end_section=index == len(bases) - 1)
    console.print(table)
    console.print("\n".join(in_language(note) for note in notes(found)), highlight=False)
    for row in found.failed:
        failed = in_language(f"{row['method']} (seed {row['seed']}) failed: {row['failed']}")
        console.print(f"[red]{escape(failed)}[/]", highlight=False)
