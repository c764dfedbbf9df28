"""The main job: fine-tune one base with every technique on the same words, and measure all of them the same way.

    python -m lessons compare                        every technique, 500 test words an accent: minutes
    python -m lessons compare --quick                a few steps and words: does everything run?
    python -m lessons compare --methods lora bitfit --seeds 3 --test-words all

Each row is a process with one thread; as many run at once as there are cores. Into --out come report.json, figures and
report.html. Interrupted, it keeps its finished rows, and --resume goes on with the others.
"""

import argparse
import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape

from lessons.compare.figures import draw_all
from lessons.compare.page import write_page
from lessons.compare.processes import RowProcesses, progress_bars, read_row
from lessons.compare.report import make_report, print_table
from lessons.compare.row import BASE, SCRATCH, RowSetting, base_hash
from lessons.task.dictionary import words
from lessons.task.finetuning import STEPS, rate_of
from lessons.task.machine import set_threads
from peft import RECIPES
from transformer.learning.checkpoint import write_json

TRAIN_WORDS, TEST_WORDS = 1000, 500
QUICK_STEPS, QUICK_TEST_WORDS = 12, 40
# Where there is no terminal whose width could be asked for.
LOG_WIDTH = 120


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=LOG_WIDTH)
    settings = row_settings(options)
    for folder in ("rows", "logs", "adapters"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    rows = finished_rows(settings, options.out) if options.resume else []
    done = {(row["method"], row["seed"]) for row in rows}
    missing = [setting for setting in settings if (setting.method, setting.seed) not in done]
    console.print(
        f"{len(settings) - 1} rows of {settings[-1].steps} steps, {options.jobs} at once with one thread each"
        + (f"; {len(rows)} of {len(settings)} are done already" if rows else "")
    )
    try:
        with progress_bars() as progress, RowProcesses(options.out, options.jobs, progress).running() as processes:
            for setting, row in processes.run(missing):
                rows.append(row)
                progress.console.print(line(setting, row), highlight=False)
    except KeyboardInterrupt:
        console.print(
            f"{len(rows)} of {len(settings)} rows are kept in {options.out}; --resume goes on with the others"
        )
        raise
    return finish(rows, settings, options, console)


def finish(rows: list[dict[str, Any]], settings: list[RowSetting], options: Any, console: Console) -> int:
    """Table, report.json, figures, report.html. 1 when a row crashed, else 0."""
    order = [(setting.method, setting.seed) for setting in settings]
    rows = sorted(rows, key=lambda row: order.index((row["method"], row["seed"])))
    if "failed" in rows[0]:
        raise ValueError(f"the base could not be evaluated: {rows[0]['failed']}; try `python -m lessons doctor`")
    report = make_report(rows, describe(options, settings))
    print_table(report, console)
    write_json(options.out / "report.json", report)
    figures = draw_all(report, rows, options.out)
    write_page(report, rows, figures, options.out / "report.html")
    for name in ("report.json", "report.html"):
        console.print(f"wrote {options.out / name}", highlight=False)
    console.print(f"drew {len(figures)} figures in {options.out}: {', '.join(path.name for path in figures)}")
    return 1 if report["failed"] else 0


def row_settings(options: Any) -> list[RowSetting]:
    """The base, then every technique with every seed, in the order of the registry; from scratch comes last."""
    common = {
        "steps": options.steps,
        "test_words": options.test_words,
        "train_words": TRAIN_WORDS,
        "base": base_hash(),
    }
    return [RowSetting(method=BASE, seed=0, learning_rate=0.0, **{**common, "steps": 0})] + [
        RowSetting(method=method, seed=seed, learning_rate=rate_of(method), **common)
        for seed in range(options.seeds)
        for method in options.methods
    ]


def finished_rows(settings: list[RowSetting], folder: Path) -> list[dict[str, Any]]:
    return [row for setting in settings if (row := read_row(setting, folder))]


def line(setting: RowSetting, row: dict[str, Any]) -> str:
    """What is printed when a row is done."""
    if "failed" in row:
        return f"[red]{setting.method} (seed {setting.seed}) failed:[/] {escape(row['failed'])}"
    return f"{setting.method} (seed {setting.seed}): British word error {row['british']['word_error']:.1%}"


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


def parse(arguments: list[str]) -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m lessons compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [*RECIPES, SCRATCH]
    parser.add_argument("--methods", nargs="+", metavar="NAME", default=known, help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps, {QUICK_TEST_WORDS} test words")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="more than one: mean ± sd (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="default: runs/compare")
    parser.add_argument("--resume", action="store_true", help="keep the rows in --out that this setting has finished")
    parser.add_argument("--jobs", type=positive, metavar="N", help="rows at once (default: one for each core)")
    parser.add_argument("--test-words", type=count, metavar="N", help=f"a number, or all (default: {TEST_WORDS})")
    parser.add_argument("--steps", type=positive, metavar="N", help=f"default: {STEPS}")
    options = parser.parse_args(arguments)
    if unknown := [method for method in options.methods if method not in known]:
        raise ValueError(f"unknown technique {', '.join(unknown)}; there are {', '.join(known)}")
    options.methods = [method for method in known if method in options.methods]
    options.steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    options.jobs = options.jobs or set_threads()
    if options.test_words is None:
        options.test_words = QUICK_TEST_WORDS if options.quick else TEST_WORDS
    options.test_words = options.test_words or None
    for accent in ("american", "british"):
        words(accent, "test", options.test_words)  # says at once when there are fewer
    return options


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number of at least 1 is needed, not {text!r}")
    return int(text)


def count(text: str) -> int:
    """A number of words; 0 stands for all of them."""
    return 0 if text == "all" else positive(text)
