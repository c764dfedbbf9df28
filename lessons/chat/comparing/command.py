"""Teach a language model British spelling by every technique; one table.

    python -m lessons chat --compare       each technique with a place
    python -m lessons chat --compare --quick         a few steps: does it run?
    python -m lessons chat --compare --methods lora ia3

Into --out come report.json and each row's adapter. Interrupted, it keeps its
finished rows, and --resume goes on with the others. Rates are starting values,
not searched ones.
"""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lessons.chat.comparing.row import UNTUNED, ChatSetting
from lessons.chat.training.spelling import KINDS
from lessons.chat.training.tuning import Q4_1, known, rate_of
from lessons.compare.processes import RowProcesses, read_row
from lessons.compare.settings import positive
from lessons.drawing.progress import progress_bars
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from peft import RECIPES
from transformer.learning.checkpoint import write_json

STEPS, QUICK_STEPS, QUICK_ITEMS = 40, 2, 8
WITHOUT_A_PLACE = ("bitfit", "pill")
METHODS = tuple(name for name in (*RECIPES, Q4_1) if name not in WITHOUT_A_PLACE)
QUICK_METHODS = ("lora", "ia3")


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    settings = row_settings(options)
    for folder in ("rows", "logs", "adapters"):
        (options.out / folder).mkdir(parents=True, exist_ok=True)
    kept = {setting: read_row(setting, options.out) if options.resume else None for setting in settings}
    rows = {setting: row for setting, row in kept.items() if row}
    missing = [setting for setting in settings if setting not in rows]
    jobs = options.jobs or set_threads()
    with (
        progress_bars() as bars,
        RowProcesses(options.out, jobs, bars, "lessons.chat.comparing.row").running() as processes,
    ):
        rows |= dict(processes.run(missing))
    found = [rows[setting] for setting in settings]
    write_json(options.out / "report.json", {"base": found[0], "rows": found[1:]})
    Console(width=120).print(table_of(found))
    for row in found:
        if "failed" in row:
            print(f"{row['method']} (seed {row['seed']}) failed: {row['failed']}")
    return int(any("failed" in row for row in found))


def row_settings(options: Any) -> list[ChatSetting]:
    """The base, then every technique with every seed."""
    steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    items = QUICK_ITEMS if options.quick else None
    methods = options.methods or (QUICK_METHODS if options.quick else METHODS)
    model = str(options.model or "")
    for method in methods:
        known(method)
    return [ChatSetting(UNTUNED, 0, 0, 0.0, items, model)] + [
        ChatSetting(method, seed, steps, options.rate or rate_of(method), items, model)
        for seed in range(options.seeds)
        for method in methods
    ]


def table_of(rows: list[dict[str, Any]]) -> Table:
    """A line for each row: sentences exactly right by kind, form and spelling of never-trained words, what was forgotten."""
    table = Table(title="British spelling, % of sentences")
    for heading in (
        "method",
        "seed",
        "rate",
        *KINDS,
        "never: form",
        "never: words",
        "English, nats",
        "parameters",
        "s",
    ):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for row in rows:
        if "failed" not in row:
            table.add_row(*cells_of(row))
    return table


def cells_of(row: dict[str, Any]) -> list[str]:
    scores = row["spelling"]
    shares = [scores.get(kind, {}).get("exact") for kind in KINDS]
    shares += [scores.get("never", {}).get(side) for side in ("form", "spelling")]
    percent = ["-" if share is None else f"{100 * share:.0f}" for share in shares]
    trained = [f"{row['trainable_parameters']:,}", f"{row['seconds']:.0f}"] if "seconds" in row else ["", ""]
    rate = f"{row['learning_rate']:g}" if "learning_rate" in row else ""
    return [row["method"], str(row["seed"]), rate, *percent, f"{row['english_nats']:.3f}", *trained]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lessons chat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compare", action="store_true", help="what this is")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps, {QUICK_ITEMS} items of each kind")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="default: 1")
    parser.add_argument("--steps", type=positive, metavar="N", help=f"default: {STEPS}")
    parser.add_argument("--rate", type=float, metavar="R", help="learning rate of all (default: each its own)")
    parser.add_argument("--out", type=out_folder, default=Path("runs/chat-compare"), help="default: runs/chat-compare")
    parser.add_argument("--resume", action="store_true", help="keep the rows in --out that this setting has finished")
    parser.add_argument("--jobs", type=positive, metavar="N", help="rows at once (default: one for each core)")
    parser.add_argument("--model", type=Path, metavar="DIR|FILE.gguf", help="another model than SmolLM2")
    return parser.parse_args(arguments)
