"""Find each technique's learning rate on a language model, by held-out answers.

    python -m lessons chat --search                        every technique
    python -m lessons chat --search --methods lora ia3     these
    python -m lessons chat --search --tasks sentiment      of one task
    python -m lessons chat --search --anew                 forget, begin again

A rate is judged by the nats of an answer's token on the task's development
sentences, after a few steps: a smooth number, and nothing is generated. The
search begins at the technique's starting rate and goes on by factors of about
three until the best lies inside what was tried. Each task has rates of its own:
what suits long answers that repeat the question may be far too high for one
word. `--compare` and `--train` take them.

What was tried goes at once into lessons/chat/training/learning_rates.json, and
a search that is stopped goes on where it was.
"""

import argparse
import math
from functools import partial
from pathlib import Path
from typing import Any

from lessons.chat.comparing.items import TASKS, items_of, taught
from lessons.chat.comparing.methods import METHODS
from lessons.chat.smollm import SHA256, smollm_file
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.merged import answer_loss
from lessons.chat.training.sentiment import LABELS, even
from lessons.chat.training.spelling import Item, balanced
from lessons.chat.training.tuning import (
    COMPARED_TOKENS,
    RATES_FILE,
    config_of,
    entry_of,
    fine_tune,
    known,
    open_tuned,
    quickly,
    start_of,
)
from lessons.compare.climbing import climb
from lessons.compare.kept_rates import KeptRates
from lessons.compare.settings import positive
from lessons.language.options import Options
from lessons.task.cores import cores

STEPS, SEEN, UNCHANGED, OF_EACH_LABEL = 12, 16, 8, 16
DEVELOPMENT = {"spelling": SEEN + UNCHANGED, "sentiment": OF_EACH_LABEL * len(LABELS)}


def development(task: str) -> list[Item]:
    """Sentences of the kinds that are trained on, and no test item: of spelling words that other sentences teach and
    sentences with nothing to change; of sentiment as many of each label."""
    if task == "sentiment":
        return even(items_of(task), "development", OF_EACH_LABEL)
    found = balanced(items_of(task), "development", unchanged=UNCHANGED)
    seen = [item for item in found if item.kind != "unchanged"]
    return seen[:SEEN] + found[len(seen) :]


def try_rate(entry: str, rate: float, seed: int, steps: int = STEPS) -> float:
    """Nats per token of the development answers after fine-tuning at this rate; `entry` is "task-technique".

    Raises ArithmeticError where they are not finite.
    """
    task, method = entry.split("-", 1)
    chat = open_tuned(method, smollm_file(), seed)
    learnt, asked = (
        texts_of(chat, [item.messages() for item in items])
        for items in (taught(items_of(task), task), development(task))
    )
    fine_tune(chat, method, learnt, steps, rate, seed, max_tokens=COMPARED_TOKENS)
    with quickly():
        loss = answer_loss(chat, asked)
    if not math.isfinite(loss):
        raise ArithmeticError(f"the loss is {loss} after {steps} steps")
    return loss


def setting_of(task: str, method: str, steps: int) -> dict[str, Any]:
    """All that decides which rate is found, but for the rate."""
    return {
        "steps": steps,
        "batch_tokens": COMPARED_TOKENS,
        "development_sentences": DEVELOPMENT[task],
        "model": SHA256[:16],
        "technique": repr(config_of(method)),
    }


def main(arguments: list[str]) -> int:
    """1 when a technique has no best rate, else 0."""
    options = parse(arguments)
    for method in options.methods:
        known(method)
    smollm_file()
    wanted = {entry_of(task, method): (task, method) for task in options.tasks for method in options.methods}
    kept = KeptRates(
        options.file,
        settings={entry: setting_of(*of, options.steps) for entry, of in wanted.items()},
        start={entry: [start_of(method)] for entry, (_, method) in wanted.items()},
        seeds=1,
        about={"command": "python -m lessons chat --search", "measure": "nats per token of development answers"},
    )
    kept.begin(options.anew, "--anew forgets it and searches again, --file FILE keeps this search elsewhere")
    climb(kept, partial(try_rate, steps=options.steps), options.jobs)
    return int(any("best" not in kept.entries[entry] for entry in wanted))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = Options("chat", __doc__)
    parser.add_argument("--search", action="store_true", help="what this is")
    parser.add_argument("--methods", nargs="+", default=METHODS, metavar="NAME", help="of --compare's (default: all)")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS, metavar="TASK", help="default: both")
    parser.add_argument("--steps", type=positive, default=STEPS, metavar="N", help=f"default: {STEPS}")
    parser.add_argument("--anew", action="store_true", help="forget what was found of --methods, and begin again")
    parser.add_argument("--jobs", type=positive, default=cores(), metavar="N", help="processes (default: the cores)")
    parser.add_argument("--file", type=Path, default=RATES_FILE, help="where the result is kept")
    return parser.parse_args(arguments)
