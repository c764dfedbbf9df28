"""Find each technique's learning rate on a language model, by held-out answers.

    python -m lessons chat --search                        every technique
    python -m lessons chat --search --methods lora ia3     these
    python -m lessons chat --search --anew                 forget, begin again

A rate is judged by the nats of an answer's token on development sentences of
the spelling task, after a few steps: a smooth number, and nothing is generated.
The search begins at the technique's starting rate and goes on by factors of
about three until the best lies inside what was tried. `--compare` takes it for
both tasks.

What was tried goes at once into lessons/chat/training/learning_rates.json, and
a search that is stopped goes on where it was.
"""

import argparse
import math
from functools import partial
from pathlib import Path
from typing import Any

from lessons.chat.comparing.items import items_of, taught
from lessons.chat.comparing.methods import METHODS
from lessons.chat.smollm import SHA256, smollm_file
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.merged import answer_loss
from lessons.chat.training.spelling import Item, balanced
from lessons.chat.training.tuning import (
    COMPARED_TOKENS,
    RATES_FILE,
    fine_tune,
    known,
    open_tuned,
    quickly,
    start_of,
)
from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.settings import positive
from lessons.task.cores import cores
from peft import recipe

STEPS, SEEN, UNCHANGED = 12, 16, 8


def development() -> list[Item]:
    """Words that are trained on in other sentences, and sentences with nothing to change; no test item."""
    found = balanced(items_of("spelling"), "development", unchanged=UNCHANGED)
    seen = [item for item in found if item.kind != "unchanged"]
    return seen[:SEEN] + found[len(seen) :]


def try_rate(method: str, rate: float, seed: int, steps: int = STEPS) -> float:
    """Nats per token of the development answers after fine-tuning at this rate.

    Raises ArithmeticError where they are not finite.
    """
    chat = open_tuned(method, smollm_file(), seed)
    learnt, asked = (
        texts_of(chat, [item.messages() for item in items])
        for items in (taught(items_of("spelling"), "spelling"), development())
    )
    fine_tune(chat, method, learnt, steps, rate, seed, max_tokens=COMPARED_TOKENS)
    with quickly():
        loss = answer_loss(chat, asked)
    if not math.isfinite(loss):
        raise ArithmeticError(f"the loss is {loss} after {steps} steps")
    return loss


def setting_of(method: str, steps: int) -> dict[str, Any]:
    """All that decides which rate is found, but for the rate."""
    return {
        "steps": steps,
        "batch_tokens": COMPARED_TOKENS,
        "development_sentences": SEEN + UNCHANGED,
        "model": SHA256[:16],
        "technique": repr(recipe(known(method)).config()),
    }


def main(arguments: list[str]) -> int:
    """1 when a technique has no best rate, else 0."""
    options = parse(arguments)
    for method in options.methods:
        known(method)
    smollm_file()
    kept = KeptRates(
        options.file,
        settings={method: setting_of(method, options.steps) for method in options.methods},
        start={method: [start_of(method)] for method in options.methods},
        seeds=1,
        about={"command": "python -m lessons chat --search", "measure": "nats per token of development answers"},
    )
    kept.begin(options.anew, "--anew forgets it and searches again, --file FILE keeps this search elsewhere")
    climb(kept, partial(try_rate, steps=options.steps), options.jobs)
    return int(any("best" not in kept.entries[method] for method in options.methods))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m lessons chat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--search", action="store_true", help="what this is")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="NAME", help="of --compare's (default: all)")
    parser.add_argument("--steps", type=positive, default=STEPS, metavar="N", help=f"default: {STEPS}")
    parser.add_argument("--anew", action="store_true", help="forget what was found of --methods, and begin again")
    parser.add_argument("--jobs", type=positive, default=cores(), metavar="N", help="processes (default: the cores)")
    parser.add_argument("--file", type=Path, default=RATES_FILE, help="where the result is kept")
    return parser.parse_args(arguments)
