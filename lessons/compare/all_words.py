"""Adapters trained on all British words: those that `pronounce` speaks with.

    python -m lessons.compare.all_words                  LoRA, the best other one
    python -m lessons.compare.all_words --methods lora   one of them

For each: a short search of the learning rate on development words, side by
side in --jobs processes, then a long training in this one. Both are kept as
they go: what is stopped goes on where it was.

Into --out/METHOD come the adapter, rates.json with all rates that were tried,
and card.json with the setting and the errors on all held-out words, measured on
the adapter as it is stored: in 16 bits where that saves much.
"""

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

from lessons.compare.climbing import climb
from lessons.compare.kept import kept_report
from lessons.compare.kept_rates import KeptRates
from lessons.compare.long_training import (
    SEARCH_STEPS,
    STEPS,
    best_other,
    card_of,
    development_error,
    long_config,
    setting_of,
    store,
    train_on_all,
)
from lessons.task.base import base_hash
from lessons.task.cores import cores
from lessons.task.machine import set_threads
from lessons.task.shipped import CARD, adapters_folder
from lessons.task.techniques import rates_to_try
from peft import recipe
from transformer.learning.formats import write_json


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m lessons.compare.all_words",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--methods", nargs="+", metavar="NAME", help="default: lora, and the best other one")
    made.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}")
    made.add_argument("--search-steps", type=int, default=SEARCH_STEPS, help=f"default: {SEARCH_STEPS}")
    made.add_argument("--rate", type=float, help="the learning rate, in place of a search")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--jobs", type=int, default=cores(), help="processes of the search (default: the cores)")
    made.add_argument("--anew", action="store_true", help="forget the rates of another setting, and search again")
    made.add_argument("--out", type=Path, default=adapters_folder() / "british_all", help="where the adapters go")
    made.add_argument("--runs", type=Path, default=Path("runs/all_words"), help="checkpoints (default: runs/all_words)")
    return made


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    options.methods = options.methods or ["lora", best_other(kept_report())]
    for method in options.methods:
        recipe(method)
    for method in options.methods:
        make(method, options)
    return 0


def make(method: str, options: Any) -> None:
    """One adapter, from the search of its rate to its card."""
    set_threads()
    folder, runs = options.out / method, options.runs / f"{method}-{base_hash()}"
    rate = options.rate or searched_rate(method, folder, runs, options)
    config = long_config(rate, options.seed, options.steps)
    checkpoint = runs / f"{rate:g}-{options.steps}-{options.seed}.safetensors"
    model, seconds = train_on_all(method, rate, options.seed, options.steps, checkpoint)
    stored = store(model, folder)
    trained, _ = model.get_nb_trainable_parameters()
    card = {
        "command": f"python -m lessons.compare.all_words --methods {method} --steps {options.steps}",
        **card_of(method, folder, config),
        "trainable_parameters": trained,
        "stored": stored,
        "seconds": round(seconds) if math.isfinite(seconds) else None,
    }
    write_json(folder / CARD, card)
    errors = " and ".join(f"{card[accent]['word_error']:.1%} of {accent}" for accent in ("british", "american"))
    print(f"{method}: {errors} held-out words wrong; the adapter, its rates and its card are in {folder}")


def searched_rate(method: str, folder: Path, runs: Path, options: Any) -> float:
    """The best rate of a short search. Raises ValueError where there is none."""
    kept = KeptRates(
        folder / "rates.json",
        settings={method: setting_of(method, options.search_steps)},
        start={method: rates_to_try(method)},
        seeds=1,
        about={"command": "python -m lessons.compare.all_words", "measure": "British development phoneme error"},
    )
    kept.begin(options.anew, "--anew forgets it and searches again, --out DIR keeps this one elsewhere")
    climb(kept, partial(development_error, steps=options.search_steps, folder=runs), options.jobs)
    if "best" not in kept.entries[method]:
        raise ValueError(
            f"{method}: no rate is better than those beside it; {kept.file} has what was tried; try --rate"
        )
    return float(kept.entries[method]["best"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
