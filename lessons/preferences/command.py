"""`python -m lessons rlhf`: learning from preferences in two worlds, with every arm, as figures and one table.

    python -m lessons rlhf [--worlds notes words] [--seeds N] [--quick] [--jobs N] [--out runs/rlhf]
    python -m lessons rlhf --ratings          the reward model on real people's ratings (ratings.py)

Each world and seed is a process with one thread. A row is kept as soon as its arm is done; a run that is stopped goes on.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import say
from lessons.preferences import notes_world, ratings, words_world
from lessons.preferences.figures import draw_all
from lessons.preferences.page import write_report
from lessons.preferences.tables import tables
from lessons.preferences.world import Arm, World, calibration, run_arm, start
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from lessons.task.parent import process_pool
from transformer.learning.formats import read_json, write_json

WORLDS: dict[str, Any] = {"notes": notes_world, "words": words_world}
QUICK: dict[str, dict[str, int]] = {
    "notes": {"first_steps": 60, "pairs": 200, "sources": 64},
    "words": {"word_count": 60, "test_words": 30},
}
FULL: dict[str, dict[str, int]] = {"notes": {}, "words": {}}
ANSWER = "told the answer"


def arms(world: str, quick: bool) -> list[Arm]:
    found = list(WORLDS[world].ARMS)
    return [replace(arm, steps=min(arm.steps, 3), epochs=min(arm.epochs, 1)) for arm in found] if quick else found


def rows_of(world: str, quick: bool) -> list[str]:
    """The names of a seed's rows, in their order."""
    extra = [ANSWER] if world == "words" else []
    return ["reference", *(arm.name for arm in arms(world, quick)), *extra]


def path_of(folder: Path, world: str, seed: int, name: str, quick: bool) -> Path:
    """Rows of other settings have other files, and are never taken for these."""
    settings = [asdict(arm) for arm in arms(world, quick)] + [(QUICK if quick else FULL)[world]]
    digest = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
    plain = "".join(letter if (letter.isascii() and letter.isalnum()) or letter in ".-" else "-" for letter in name)
    return folder / "rows" / f"{world}-{seed}-{plain}-{digest}.json"


def run_seed(world: str, seed: int, folder: Path, quick: bool) -> None:
    """Every row of one world and seed that is not there yet, one after the other."""
    set_threads(1)
    paths = {name: path_of(folder, world, seed, name, quick) for name in rows_of(world, quick)}
    if all(path.is_file() for path in paths.values()):
        return
    sizes = (QUICK if quick else FULL)[world]
    made = WORLDS[world].make_world(seed, **sizes)
    jobs: dict[str, Callable[[], dict[str, Any]]] = {"reference": lambda: start(made) | calibration(made)}
    for arm in arms(world, quick):
        checkpoint = paths[arm.name].with_suffix(".safetensors")
        jobs[arm.name] = partial(run_arm, made, arm, seed, checkpoint)
    if world == "words":
        jobs[ANSWER] = lambda: answer_row(made, seed, sizes, quick)
    for name, job in jobs.items():
        if not paths[name].is_file():
            started = time.perf_counter()
            row = job()
            write_json(paths[name], row | {"world": world, "seed": seed, "seconds": time.perf_counter() - started})
            paths[name].with_suffix(".safetensors").unlink(missing_ok=True)


def answer_row(world: World, seed: int, sizes: dict[str, int], quick: bool) -> dict[str, Any]:
    """Plain fine-tuning on the same words, in as many updates as DPO took."""
    dpo = next(arm for arm in arms("words", quick) if arm.technique == "DPO")
    steps = max(1, dpo.epochs * len(world.pairs) // 64)
    final = words_world.told_the_answer(seed, sizes.get("word_count", 1000), steps, sizes.get("test_words", 300))
    return {"arm": ANSWER, "technique": "", "beta": 0.0, "history": [], "final": final, "answers": []}


def main(arguments: list[str]) -> int:
    parser = Options("rlhf", __doc__.splitlines()[0])
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few steps, only to show that everything runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes, one thread each")
    parser.add_argument("--ratings", action="store_true", help="only the reward model on what people said of sentences")
    parser.add_argument("--out", type=out_folder, default=Path("runs/rlhf"))
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        raise ValueError(f"--seeds {options.seeds} and --jobs {options.jobs} must be at least 1")
    if options.ratings:
        Console(width=110).print(ratings.table(ratings.run(options.out)))
        return 0
    (options.out / "rows").mkdir(parents=True, exist_ok=True)
    report = all_rows(options)
    write_json(options.out / "report.json", report)
    figures = draw_all(report, options.out)
    for table in tables(report):
        Console(width=110).print(table)
    print(in_language(f"report and figures: {write_report(report, figures, options.out)}"))
    return 0


def all_rows(options: Any) -> dict[str, Any]:
    todo = [(world, seed) for seed in range(options.seeds) for world in options.worlds]
    paths = [path_of(options.out, *job, name, options.quick) for job in todo for name in rows_of(job[0], options.quick)]
    with process_pool(options.jobs) as pool, Progress() as progress:
        task = progress.add_task(say("learning from preferences"), total=len(paths))
        running = [pool.submit(run_seed, *job, options.out, options.quick) for job in todo]
        while not all(job.done() for job in running):
            progress.update(task, completed=sum(path.is_file() for path in paths))
            time.sleep(0.3)
        for job in running:
            job.result()
        progress.update(task, completed=len(paths))
    command = f"python -m lessons rlhf --seeds {options.seeds}" + (" --quick" if options.quick else "")
    return {"command": command, "quick": options.quick, "rows": [four_digits(read_json(path)) for path in paths]}


def four_digits(value: Any) -> Any:
    """The same with four significant digits in each number: nobody reads more of them."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [four_digits(each) for each in value]
    return {name: four_digits(each) for name, each in value.items()} if isinstance(value, dict) else value
