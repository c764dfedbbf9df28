"""What is asked for: the options of `compare`, and the rows that follow from them, each with its learning rate."""

import argparse
from pathlib import Path
from typing import Any

from lessons.compare.row import UNTUNED, RowSetting
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.language.words import tell
from lessons.task.base import base_hash
from lessons.task.dictionary import words
from lessons.task.finetuning import STEPS, kept_rates, learning_rates
from lessons.task.machine import set_threads
from lessons.task.outputs import out_folder
from lessons.task.techniques import (
    add_import_option,
    chosen_techniques,
    import_techniques,
    middle_rates,
    technique_names,
)

TRAIN_WORDS, TEST_WORDS = 1000, 500
QUICK_STEPS, QUICK_TEST_WORDS = 12, 40


def parse(arguments: list[str], description: str) -> Any:
    """The options, checked and filled in; the modules of --import are imported."""
    options = parser(description).parse_args(arguments)
    import_techniques(options.modules)
    if options.rate is not None and not options.methods:
        raise ValueError(f"--rate {options.rate:g} is for techniques that --methods names")
    options.methods = chosen_techniques(options.methods)
    options.steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    options.jobs = options.jobs or set_threads()
    if options.test_words is None:
        options.test_words = QUICK_TEST_WORDS if options.quick else TEST_WORDS
    options.test_words = options.test_words or None
    for accent in ("american", "british"):
        words(accent, "test", options.test_words)  # says at once when there are fewer
    return options


def parser(description: str) -> argparse.ArgumentParser:
    made = Options("compare", description)
    made.add_argument("--methods", nargs="+", metavar="NAME", help=f"of {', '.join(technique_names())}")
    made.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps, {QUICK_TEST_WORDS} test words")
    made.add_argument("--seeds", type=positive, default=1, metavar="N", help="more than one: mean ± sd (default: 1)")
    made.add_argument("--out", type=out_folder, default=Path("runs/compare"), help="default: runs/compare")
    made.add_argument("--resume", action="store_true", help="keep the rows in --out that this setting has finished")
    made.add_argument("--jobs", type=positive, metavar="N", help="rows at once (default: one for each core)")
    made.add_argument("--test-words", type=count, metavar="N", help=f"a number, or all (default: {TEST_WORDS})")
    made.add_argument("--steps", type=positive, metavar="N", help=f"default: {STEPS}")
    made.add_argument("--rate", type=float, metavar="R", help="learning rate of --methods (default: the searched ones)")
    add_import_option(made)
    return made


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number of at least 1 is needed, not {text!r}")
    return int(text)


def count(text: str) -> int:
    """A number of words; 0 stands for all of them."""
    return 0 if text == "all" else positive(text)


def row_settings(options: Any) -> list[RowSetting]:
    """The base, then every technique with every seed, in the order of the recipes; from scratch comes last."""
    common = {
        "test_words": options.test_words,
        "train_words": TRAIN_WORDS,
        "base": base_hash(),
        "modules": tuple(options.modules),
    }
    rates = rates_of(options.methods, options.rate)
    return [RowSetting(method=UNTUNED, seed=0, steps=0, learning_rate=0.0, **common)] + [
        RowSetting(method=method, seed=seed, steps=options.steps, learning_rate=rates[method], **common)
        for seed in range(options.seeds)
        for method in options.methods
    ]


def rates_of(methods: list[str], given: float | None) -> dict[str, float]:
    """The rate that is given, else the searched one, else the middle of those that the search would try, which is told.

    That a rate was searched on another base is told too: it is taken, but it may not be this base's best.
    """
    if given is not None:
        return dict.fromkeys(methods, given)
    searched, middle, base = learning_rates(), middle_rates(), base_hash()
    strange = [name for name, entry in kept_rates().items() if entry.get("setting", {}).get("base") != base]
    if named := [method for method in methods if method in searched and method in strange]:
        strangers = ", ".join(named)
        print(
            tell(
                "{named}: the learning rates were searched on another base: python -m lessons search --anew",
                named=strangers,
            )
        )
    for method in methods:
        if method not in searched:
            said = (
                f"{method} has no searched learning rate and takes {middle[method]:g}, the middle of its recipe's: "
                f"python -m lessons search --methods {method}"
            )
            print(in_language(said))
    return {method: searched.get(method, middle[method]) for method in methods}
