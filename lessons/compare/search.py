"""The search of learning rates: each technique at a few rates, on words that no test ever sees.

    python -m lessons search                          every technique that has no result yet
    python -m lessons search --methods lora bitfit    these, anew

A rate is judged by the phoneme error on British development words after the steps of `compare`. What is found, and all
that was tried, goes into lessons/task/learning_rates.json; a search that is stopped goes on where it was.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.progress import Progress

from lessons.task.dictionary import words
from lessons.task.finetuning import RATES_FILE, STEPS, fine_tune, from_scratch, read_rates
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.task.techniques import (
    SCRATCH,
    add_import_option,
    chosen_techniques,
    import_techniques,
    rates_to_try,
    technique_names,
)
from transformer.learning.checkpoint import write_json

DEVELOPMENT_WORDS = 400


def try_rate(method: str, rate: float, steps: int, seed: int) -> float:
    """The phoneme error on British development words after fine-tuning at this rate."""
    set_threads(1)
    tune: dict[str, Any] = {"steps": steps, "learning_rate": rate, "seed": seed}
    model, _ = from_scratch(**tune) if method == SCRATCH else fine_tune(method, **tune)
    return evaluate(model, words("british", "development", DEVELOPMENT_WORDS), "british").phoneme_error


def best_of(tried: dict[str, float]) -> float:
    return float(min(tried, key=lambda rate: tried[rate]))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m lessons search", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--methods", nargs="+", metavar="NAME", help=f"of {', '.join(technique_names())} (default: what has no result)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}, as in compare")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes, one thread each (default: the cores)"
    )
    parser.add_argument("--file", type=Path, default=RATES_FILE, help="where the result is kept")
    add_import_option(parser)
    options = parser.parse_args(arguments)
    import_techniques(options.modules)
    options.named, options.methods = bool(options.methods), chosen_techniques(options.methods)
    search(options)
    return 0


def search(options: Any) -> None:
    kept = read_rates(options.file) if options.file.exists() else {"methods": {}}
    setting = {"steps": options.steps, "seed": options.seed, "development_words": DEVELOPMENT_WORDS}
    kept |= {"command": "python -m lessons search", "measure": "British development phoneme error", **setting}
    if options.named:
        kept["methods"] = {name: entry for name, entry in kept["methods"].items() if name not in options.methods}
    todo = [
        (method, rate)
        for method in options.methods
        for rate in rates_to_try(method)
        if str(rate) not in kept["methods"].get(method, {}).get("tried", {})
    ]
    context = get_context("spawn")  # a fork of a process that has used threads may hang
    with (
        ProcessPoolExecutor(options.jobs, context, import_techniques, (options.modules,)) as pool,
        Progress() as progress,
    ):
        task = progress.add_task("searching", total=len(todo))
        runs = {
            pool.submit(try_rate, method, rate, options.steps, options.seed): (method, rate) for method, rate in todo
        }
        for run in as_completed(runs):
            method, rate = runs[run]
            entry = kept["methods"].setdefault(method, {"tried": {}})
            entry.setdefault("tried", {})[str(rate)] = round(run.result(), 5)
            entry["best"] = best_of(entry["tried"])
            write_json(options.file, kept)
            progress.advance(task)
            progress.console.print(f"{method:18} {rate:<7g} {run.result():.4f}")
    print(json.dumps({method: entry["best"] for method, entry in kept["methods"].items()}, indent=2))
