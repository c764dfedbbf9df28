"""How much data? A few techniques on 100, 1,000 and 10,000 words: what is learnt, memorized, and kept of the base.

    python -m lessons amounts [--methods full lora bitfit scratch] [--words 100 1000 10000] [--seeds 1] [--out FILE]

Every run takes the same number of steps, so a short list is read more often. After each quarter of the steps: the word
error on the words that it learns from, on British held-out words, and on American ones. A run that is stopped goes on.
"""

import os
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lessons.compare.kept_rows import NUMBER, read_kept
from lessons.language.options import Options
from lessons.language.words import say
from lessons.task.base import base_hash
from lessons.task.dictionary import fine_tuning_words, pairs, words
from lessons.task.finetuning import STEPS, adapted, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from lessons.task.parent import process_pool
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate
from lessons.task.techniques import (
    SCRATCH,
    add_import_option,
    chosen_techniques,
    import_techniques,
    technique_names,
)
from peft import recipe
from transformer import TrainingConfig, Transformer, train
from transformer.learning.formats import write_json

METHODS = ("full", "lora", "bitfit", SCRATCH)
AMOUNTS = (100, 1_000, 10_000)
TEST_WORDS, TRAINING_WORDS = 500, 100
QUARTERS = 4
POINT = {"training": NUMBER, "british": NUMBER, "american": NUMBER, "step": int}
KEPT = {"rows": [{"method": str, "words": int, "seed": int, "curve": [POINT]}, ...]}


def run(method: str, amount: int, seed: int, steps: int = STEPS) -> list[dict[str, float]]:
    """The three word errors at the start and after each quarter of the steps."""
    set_threads(1)
    config = training_config(steps, rate_of(method), seed)
    model, groups = beginner(method, seed, config)
    learnt = fine_tuning_words("british", amount)
    measured = [word_errors(model, learnt) | {"step": 0}]

    def look(step: int, _loss: float) -> None:
        if step % (steps // QUARTERS) == 0:
            measured.append(word_errors(model, learnt) | {"step": step})

    train(model, pairs("british", learnt, all_pronunciations=True), config, groups, on_step=look)
    return measured


def beginner(method: str, seed: int, config: TrainingConfig) -> tuple[Any, Any]:
    """A model before its first step, and the optimizer's groups where the technique has its own."""
    if method == SCRATCH:
        torch.manual_seed(seed)
        return Transformer(base_config()), None
    model = adapted(method, seed)
    return model, recipe(method).groups(model, config.learning_rate, config.weight_decay)


def word_errors(model: Any, learnt: list[str]) -> dict[str, float]:
    """On the words that it learns from, on British held-out words, and on American ones."""
    training, held_out, forgotten = (
        evaluate(model, chosen, accent).word_error
        for chosen, accent in (
            (learnt[:TRAINING_WORDS], "british"),
            (words("british", "test", TEST_WORDS), "british"),
            (words("american", "test", TEST_WORDS), "american"),
        )
    )
    return {"training": training, "british": held_out, "american": forgotten}


def main(arguments: list[str]) -> int:
    parser = Options("amounts", __doc__.splitlines()[0])
    parser.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        default=METHODS,
        help=f"of {', '.join(technique_names())} (default: {' '.join(METHODS)})",
    )
    parser.add_argument("--words", nargs="+", type=int, default=AMOUNTS, metavar="N", help="default: 100 1000 10000")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}, as in compare")
    parser.add_argument("--seeds", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes, one thread each")
    parser.add_argument("--out", type=out_file, default=Path("runs/amounts.json"))
    add_import_option(parser)
    options = parser.parse_args(arguments)
    import_techniques(options.modules)
    options.methods = chosen_techniques(options.methods)
    if options.steps % QUARTERS or options.steps < QUARTERS:
        raise ValueError(f"--steps {options.steps} cannot be cut into {QUARTERS} equal parts")
    rows = all_runs(options)
    show(rows)
    return 0


def all_runs(options: Any) -> list[dict[str, Any]]:
    kept = read_kept(options.out, KEPT) if options.out.is_file() else {"rows": []}
    settings = {
        "steps": options.steps,
        "test_words": TEST_WORDS,
        "training_words": TRAINING_WORDS,
        "base": base_hash(),
    }
    if kept["rows"] and any(kept.get(name) != value for name, value in settings.items()):
        raise ValueError(f"{options.out} holds runs with other settings than {settings}; name another file by --out")
    kept |= {"command": "python -m lessons amounts", **settings}
    done = {(row["method"], row["words"], row["seed"]) for row in kept["rows"]}
    wanted = [
        (name, count, seed) for seed in range(options.seeds) for count in options.words for name in options.methods
    ]
    todo = [job for job in wanted if job not in done]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with process_pool(options.jobs, import_techniques, options.modules) as pool, Progress() as progress:
        task = progress.add_task(say("fine-tuning"), total=len(todo))
        jobs = {pool.submit(run, *job, options.steps): job for job in todo}
        for job in as_completed(jobs):
            method, count, seed = jobs[job]
            kept["rows"].append({"method": method, "words": count, "seed": seed, "curve": job.result()})
            write_json(options.out, kept)
            progress.advance(task)
    return kept["rows"]


def show(rows: list[dict[str, Any]]) -> None:
    table = Table(title=say("Word error at the end, %"))
    for header in ("technique", "words", "on what it learnt from", "British, held out", "American, held out"):
        table.add_column(say(header), justify="left" if header == "technique" else "right")
    for row in sorted(rows, key=lambda row: (row["method"], row["words"], row["seed"])):
        last = row["curve"][-1]
        table.add_row(
            row["method"], f"{row['words']:,}", *(f"{100 * last[n]:.1f}" for n in ("training", "british", "american"))
        )
    Console().print(table)
