"""The main job: fine-tune one base with every technique on the same words, and
measure all of them the same way.

    python -m lessons compare              every technique, 500 words: minutes
    python -m lessons compare --quick      a few steps: does everything run?
    python -m lessons compare --methods lora bitfit
    python -m lessons compare --seeds 5 --test-words all      as README's table
    python -m lessons compare --import my_technique --methods my_technique

Each row is a process with one thread; as many run at once as there are cores.
Into --out come report.json, figures and report.html. Interrupted, it keeps its
finished rows, and --resume goes on with the others. A row of another base or
another setting is never taken for one of this run.
"""

import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape

from lessons.compare.figures import draw_all
from lessons.compare.kept_rows import shape_of
from lessons.compare.page import write_report
from lessons.compare.processes import RowProcesses, read_row, rows_of_others
from lessons.compare.report import comparison, make_report
from lessons.compare.row import RowSetting
from lessons.compare.settings import TRAIN_WORDS, parse, row_settings
from lessons.compare.table import print_table
from lessons.drawing.progress import progress_bars
from lessons.language.message import in_language
from transformer.learning.formats import write_json

# Where there is no terminal whose width could be asked for.
LOG_WIDTH = 120


def main(arguments: list[str]) -> int:
    options = parse(arguments, __doc__)
    settings = row_settings(options)
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    rows = all_rows(settings, options, console)
    return finish(rows, settings, options, console)


def all_rows(settings: list[RowSetting], options: Any, console: Console) -> list[dict[str, Any]]:
    """The rows that are there already and those that are run now, in the order of `settings`."""
    for folder in ("rows", "logs", "adapters"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    found = {s: read_row(s, options.out, shape_of(s.method)) if options.resume else None for s in settings}
    rows = {setting: row for setting, row in found.items() if row}
    begun = in_language(
        f"{len(settings) - 1} rows of {options.steps} steps, {options.jobs} at once with one thread each"
    )
    done = in_language(f"{len(rows)} of {len(settings)} are done already")
    console.print(f"{begun}; {done}" if rows else begun)
    if others := rows_of_others(settings, options.out):
        console.print(in_language(what_others(others, settings, options.out)), highlight=False)
    missing = [setting for setting in settings if setting not in rows]
    try:
        with progress_bars() as progress, RowProcesses(options.out, options.jobs, progress).running() as processes:
            for setting, row in processes.run(missing):
                rows[setting] = row
                progress.console.print(line(setting, row), highlight=False)
    except KeyboardInterrupt:
        kept = f"{len(rows)} of {len(settings)} rows are kept in {options.out}; --resume goes on with the others"
        console.print(in_language(kept))
        raise
    return [rows[setting] for setting in settings]


def what_others(others: list[RowSetting | None], settings: list[RowSetting], folder: Path) -> str:
    """What is said of rows in `folder` that are not this run's."""
    base = settings[0].base
    strangers = sorted({other.base for other in others if other and other.base != base})
    of = f"another base ({', '.join(strangers)}; this one is {base})" if strangers else "another setting"
    return f"{len(others)} rows in {folder} are of {of}: they are not taken, and go when theirs are run anew"


def line(setting: RowSetting, row: dict[str, Any]) -> str:
    """What is printed when a row is done."""
    if "failed" in row:
        failed = in_language(f"{setting.method} (seed {setting.seed}) failed: {row['failed']}")
        return f"[red]{escape(failed)}[/]"
    return in_language(f"{setting.method} (seed {setting.seed}): British word error {row['british']['word_error']:.1%}")


def finish(rows: list[dict[str, Any]], settings: list[RowSetting], options: Any, console: Console) -> int:
    """Table, report.json, figures, report.html. 1 when a row crashed, else 0."""
    if "failed" in rows[0]:
        raise ValueError(f"the base could not be evaluated: {rows[0]['failed']}; try `python -m lessons doctor`")
    report = make_report(rows, describe(options, settings))
    write_json(options.out / "report.json", report)
    found = comparison(report)
    print_table(found, console)
    figures = draw_all(found, rows, options.out)
    write_report(found, rows, figures, options.out / "report.html")
    for name in ("report.json", "report.html"):
        console.print(in_language(f"wrote {options.out / name}"), highlight=False)
    drawn = f"drew {len(figures)} figures in {options.out}: {', '.join(path.name for path in figures)}"
    console.print(in_language(drawn))
    return 1 if found.failed else 0


def describe(options: Any, settings: list[RowSetting]) -> dict[str, Any]:
    """What was run, and where: the report keeps it beside the numbers."""
    return {
        "methods": options.methods,
        "seeds": options.seeds,
        "steps": options.steps,
        "train_words": TRAIN_WORDS,
        "test_words": options.test_words or "all",
        "quick": options.quick,
        "base": settings[0].base,
        "jobs": options.jobs,
        "threads": 1,
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
