"""A study: variants of a technique, each at one rate for all and at its own searched rate, with several seeds.

Two files are kept: NAME_rates.json, what was tried to find each variant's rate, and NAME.json, the rows. Both are written at
once as a run ends, and what is stopped goes on.
"""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.row import error, size
from lessons.compare.study_rows import RESULTS, KeptRows
from lessons.task.base import base_hash, load_base
from lessons.task.cores import cores
from lessons.task.dictionary import fine_tuning_words, pairs, words
from lessons.task.finetuning import STEPS, adapted, training_config
from lessons.task.scoring import evaluate, predict
from lessons.task.techniques import rates_to_try
from peft import PeftModel, recipe
from transformer import train

DEVELOPMENT_WORDS = 400


@dataclass(frozen=True)
class Variant:
    """A technique, what of its config differs from the recipe's, and how far the base's positions are moved to meet it.

    `back`   so many places: a prompt of that length then leaves every letter at the position that it had without it
    """

    method: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    back: int = 0


def trained(variant: Variant, rate: float, seed: int, steps: int) -> PeftModel:
    """The fine-tuned model. Raises ArithmeticError where the loss is not finite at the end."""
    base = load_base()
    if variant.back:
        positions: Any = base.source_positions
        positions.table = positions.table.roll(variant.back, dims=0)
    model = adapted(variant.method, seed, base, **variant.changes)
    config = training_config(steps, rate, seed)
    groups = recipe(variant.method).groups(model, rate, config.weight_decay)
    losses = train(model, pairs("british", fine_tuning_words(), all_pronunciations=True), config, groups)
    if not math.isfinite(losses[-1]):
        raise ArithmeticError(f"the loss is {losses[-1]} after {steps} steps")
    return model


def development_error(name: str, rate: float, seed: int, variants: Mapping[str, Variant], steps: int) -> float:
    """British phoneme error on development words: by this a rate is chosen."""
    model = trained(variants[name], rate, seed, steps)
    return evaluate(model, words("british", "development", DEVELOPMENT_WORDS), "british").phoneme_error


def measure(
    name: str, rate: float, seed: int, variants: Mapping[str, Variant], steps: int, test_words: int | None
) -> dict[str, Any]:
    """A row: both accents' errors on held-out words, and what was trained."""
    model = trained(variants[name], rate, seed, steps)
    said = {accent: predict(model, words(accent, "test", test_words)) for accent in ("british", "american")}
    return {**size(model), **{accent: error(said[accent], accent) for accent in said}}


def run_study(
    variants: Mapping[str, Variant], file: str, equal: Mapping[str, float], options: Any
) -> list[dict[str, Any]]:
    """Searches the rate of each variant, then measures it there and at `equal[method]`. The rows."""
    command = f"python -m lessons.compare.{file}"
    common = {"steps": options.steps, "base": base_hash()}
    searched = KeptRates(
        options.out / f"{file}_rates.json",
        settings={
            name: {**common, "seeds": 1, "development_words": DEVELOPMENT_WORDS, "variant": repr(variant)}
            for name, variant in variants.items()
        },
        start={name: rates_to_try(variant.method) for name, variant in variants.items()},
        seeds=1,
        about={"command": command, "measure": "British development phoneme error"},
    )
    searched.begin(options.anew, "--anew forgets it, --out DIR keeps this one elsewhere")
    climb(searched, partial(development_error, variants=variants, steps=options.steps), options.jobs)
    own = {name: searched.entries[name].get("best") for name in variants}
    rates = {name: [rate for rate in (equal.get(variants[name].method), own[name]) if rate] for name in variants}
    setting = {
        **common,
        "seeds": options.seeds,
        "test_words": options.test_words or "all",
        "variants": repr(dict(variants)),
    }
    rows = KeptRows(
        options.out / f"{file}.json",
        {"command": command, "setting": setting, "equal": dict(equal), "own": own},
        rates,
        options.seeds,
    )
    rows.begin(options.anew)
    climb(rows, partial(measure, variants=variants, steps=options.steps, test_words=options.test_words), options.jobs)
    return rows.rows


def parse(arguments: list[str], program: str, description: str) -> Any:
    made = argparse.ArgumentParser(
        prog=f"python -m lessons.compare.{program}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--steps", type=int, default=STEPS, help=f"default: {STEPS}, as in compare")
    made.add_argument("--seeds", type=int, default=3, help="default: 3")
    made.add_argument("--test-words", type=int, metavar="N", help="default: all")
    made.add_argument("--jobs", type=int, default=cores(), help="processes, one thread each (default: the cores)")
    made.add_argument("--anew", action="store_true", help="forget what is kept in --out, and begin again")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the kept files (default: lessons/results)")
    return made.parse_args(arguments)
