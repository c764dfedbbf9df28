"""Teach a language model two tasks by every technique; tables and figures.

    python -m lessons chat --compare       spelling and sentiment
    python -m lessons chat --compare --quick         a few steps: does it run?
    python -m lessons chat --compare --methods lora ia3 --tasks spelling
    python -m lessons chat --compare --seeds 3 --resume

Into --out come report.html, report.json, the figures and each row's adapter.
Interrupted, it keeps its finished rows, and --resume goes on with the others.
A rate is the one that `python -m lessons chat --search` has kept.
"""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from lessons.chat.comparing.figures import draw_all
from lessons.chat.comparing.forgetting import ENGLISH, PROMPTS, own_answers
from lessons.chat.comparing.items import TASKS
from lessons.chat.comparing.methods import MAIN, METHODS
from lessons.chat.comparing.page import failed, write_report
from lessons.chat.comparing.report import Report, make_report, tasks_of
from lessons.chat.comparing.row import THREADS, UNTUNED, ChatSetting, model_file
from lessons.chat.comparing.row_shape import shape_of
from lessons.chat.comparing.table import lines_of, notes
from lessons.chat.training.tuning import COMPARED_TOKENS, entry_of, known, rate_of, searched
from lessons.compare.processes import RowProcesses, read_row
from lessons.compare.settings import positive
from lessons.drawing.grids import as_text
from lessons.drawing.progress import progress_bars
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from transformer.learning.formats import write_json

STEPS, ITEMS = 30, 34
QUICK_STEPS, QUICK_ITEMS, QUICK_METHODS = 2, 4, ("lora", "ia3")


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    settings = row_settings(options)
    for folder in ("rows", "logs", "adapters"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    kept = {s: read_row(s, options.out, shape_of(s.technique)) if options.resume else None for s in settings}
    rows = {setting: row for setting, row in kept.items() if row}
    if missing := [setting for setting in settings if setting not in rows]:
        threads = set_threads()  # also where --jobs is given: with more than FT_THREADS the answers below take minutes
        jobs = options.jobs or threads
        own_answers(options.out, model_file(str(options.model or "")))
        with (
            progress_bars() as bars,
            RowProcesses(options.out, jobs, bars, "lessons.chat.comparing.row").running() as processes,
        ):
            for setting, row in processes.run(missing):
                rows[setting] = row
                write_report_of(options, [rows[one] for one in settings if one in rows])
    show(write_report_of(options, [rows[setting] for setting in settings]), options.out)
    return int(any("failed" in row for row in rows.values()))


def write_report_of(options: Any, rows: list[dict[str, Any]]) -> Report:
    """report.json of the rows so far: a run that is stopped has it too."""
    report = make_report(rows, run_of(options))
    write_json(options.out / "report.json", report)
    return report


def show(report: Report, out: Path) -> None:
    """The figures, the page, and the tables on the terminal."""
    figures = draw_all(report, out)
    page = write_report(report, figures, out / "report.html")
    console = Console(width=200)
    for task in tasks_of(report):
        console.print(f"\n{in_language(f'{task}, % of held-out sentences')}", highlight=False)
        cells = [[in_language(cell) for cell in line] for line in lines_of(report, task)]
        console.print(as_text(cells), highlight=False, markup=False)
    told = (in_language(note) for note in notes(report))
    console.print("\n".join(["", *told, str(page)]), highlight=False, markup=False)
    for row in report["failed"]:
        print(failed(row))


def row_settings(options: Any) -> list[ChatSetting]:
    """Of each task the untouched model, then every technique; the next seed begins when all have the one before."""
    steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    items = options.items or (QUICK_ITEMS if options.quick else ITEMS)
    methods = options.methods or (QUICK_METHODS if options.quick else METHODS)
    model = str(options.model or "")
    for method in methods:
        known(method)
    return [ChatSetting(UNTUNED, task, 0, 0, 0.0, items, model) for task in options.tasks] + [
        ChatSetting(method, task, seed, steps, options.rate or rate_of(task, method), items, model)
        for seed in range(options.seeds)
        for task in options.tasks
        for method in methods
    ]


def run_of(options: Any) -> dict[str, Any]:
    """What report.json says of the run."""
    settings = [setting for setting in row_settings(options) if setting.technique != UNTUNED]
    unsearched = sorted({entry_of(setting.task, setting.technique) for setting in settings} - set(searched()))
    rates = "each technique's own on each task, searched on its development sentences"
    if options.rate:
        rates = f"{options.rate:g} for all"
    elif unsearched:
        rates = f"{rates}, but for {', '.join(unsearched)}: starting values"
    return {
        "model": str(options.model or "SmolLM2-135M-Instruct, Q4_1"),
        "steps": settings[0].steps,
        "batch_tokens": COMPARED_TOKENS,
        "seeds": options.seeds,
        "rates": rates,
        "english": len(ENGLISH),
        "prompts": len(PROMPTS),
        "threads": THREADS,
    }


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("chat", __doc__)
    parser.add_argument("--compare", action="store_true", help="what this is")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--main", dest="methods", action="store_const", const=MAIN, help=f"the first {len(MAIN)}")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, metavar="TASK", help="default: both")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps, {QUICK_ITEMS} items of each kind")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="default: 1")
    parser.add_argument("--steps", type=positive, metavar="N", help=f"default: {STEPS}")
    parser.add_argument("--items", type=positive, metavar="N", help=f"test items of each kind (default: {ITEMS})")
    parser.add_argument("--rate", type=float, metavar="R", help="learning rate of all (default: each its own)")
    parser.add_argument("--out", type=out_folder, default=Path("runs/chat-compare"), help="default: runs/chat-compare")
    parser.add_argument("--resume", action="store_true", help="keep the rows in --out that this setting has finished")
    parser.add_argument("--jobs", type=positive, metavar="N", help="rows at once (default: one for each core)")
    parser.add_argument("--model", type=Path, metavar="DIR|FILE.gguf", help="another model than SmolLM2")
    return parser.parse_args(arguments)
