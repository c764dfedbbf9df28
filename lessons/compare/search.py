"""Find the learning rate of each technique, on words that no other table uses.

    python -m lessons search                          every technique
    python -m lessons search --methods lora bitfit    these
    python -m lessons search --anew                   forget, and begin again

A rate is judged by the phoneme error on British development words after the
steps of `compare`. The search begins with the rates of the recipe and goes on
by factors of about three until the best lies inside what was tried; the best
and its two neighbours are judged by the mean over --seeds.

What was tried goes at once into lessons/task/learning_rates.json, and a search
that is stopped goes on where it was. Each entry keeps its setting: one that was
searched with other steps, words or seeds, on another base or with another
configuration of the technique is never mixed with this one's.
"""

import argparse
import math
from functools import partial
from pathlib import Path
from typing import Any

from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.settings import TRAIN_WORDS
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.task.base import base_hash
from lessons.task.cores import cores
from lessons.task.dictionary import fine_tuning_words, words
from lessons.task.finetuning import RATES_FILE, STEPS, adapter_config, fine_tune, from_scratch, in_short
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate
from lessons.task.techniques import (
    SCRATCH,
    add_import_option,
    chosen_techniques,
    import_techniques,
    rates_to_try,
    technique_names,
)

DEVELOPMENT_WORDS = 400
SEEDS = 2


def try_rate(method: str, rate: float, seed: int, steps: int = STEPS) -> float:
    """The phoneme error on British development words after fine-tuning at this rate.

    Raises ArithmeticError where the loss is not finite at the end.
    """
    tune: dict[str, Any] = {"steps": steps, "learning_rate": rate, "seed": seed}
    taught = fine_tuning_words("british", TRAIN_WORDS)
    model, losses = from_scratch(taught, **tune) if method == SCRATCH else fine_tune(method, taught, **tune)
    if not math.isfinite(losses[-1]):
        raise ArithmeticError(f"the loss is {losses[-1]} after {steps} steps")
    return evaluate(model, words("british", "development", DEVELOPMENT_WORDS), "british").phoneme_error


def setting_of(method: str, steps: int, seeds: int) -> dict[str, Any]:
    """All that decides which rate is found, but for the rate."""
    return {
        "steps": steps,
        "seeds": seeds,
        "training_words": TRAIN_WORDS,
        "development_words": DEVELOPMENT_WORDS,
        "base": base_hash(),
        "technique": in_short(base_config() if method == SCRATCH else adapter_config(method)),
    }


def parser() -> argparse.ArgumentParser:
    made = Options("search", __doc__)
    made.add_argument("--methods", nargs="+", metavar="NAME", help=f"of {', '.join(technique_names())} (default: all)")
    made.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}, as in compare")
    made.add_argument("--seeds", type=int, default=SEEDS, help=f"for the best and its neighbours (default: {SEEDS})")
    made.add_argument("--anew", action="store_true", help="forget what was found of --methods, and begin again")
    made.add_argument("--jobs", type=int, default=cores(), help="processes, one thread each (default: the cores)")
    made.add_argument("--file", type=Path, default=RATES_FILE, help="where the result is kept")
    add_import_option(made)
    return made


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    import_techniques(options.modules)
    for name in ("steps", "seeds", "jobs"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} {getattr(options, name)}: a number of at least 1 is needed")
    return search(options, chosen_techniques(options.methods))


def search(options: Any, methods: list[str]) -> int:
    """1 when a technique has no best rate, else 0."""
    kept = KeptRates(
        options.file,
        settings={method: setting_of(method, options.steps, options.seeds) for method in methods},
        start={method: rates_to_try(method) for method in methods},
        seeds=options.seeds,
        about={"command": "python -m lessons search", "measure": "British development phoneme error"},
    )
    kept.begin(options.anew, "--anew forgets it and searches again, --file FILE keeps this search elsewhere")
    try:
        climb(kept, partial(try_rate, steps=options.steps), options.jobs, options.modules)
    except KeyboardInterrupt:
        print(in_language(f"every finished run is kept in {options.file}; the same command without --anew goes on"))
        raise
    return int(any("best" not in kept.entries[method] for method in methods))
