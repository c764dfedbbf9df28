"""Which ingredient of the base's recipe gave what: `python -m lessons.experiments.pretraining_recipe ROWS.jsonl ...` keeps it.

The rows come from an exploration: trainings of one seed each on a graphics card, in a loop of their own with the model,
the data and the optimizer of the course, tested on development words. They chose the recipe; `python -m lessons pretrain`
is what was then run.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lessons.task.base import model_card
from lessons.teaching import Values, claim, kept_claim

KEPT = Path(__file__).parent.parent / "results" / "base_recipe.json"
SETTING = {
    "seeds": 1,
    "words": "4,514 held-out American words that no test has: the development words, and 3,000 taken out of the training",
    "machine": "one H100, TF32; another loop, so another run than the base's own",
    "error": "word error in per cent; under `moved` with the letters moved by that many positions",
    "weights": "in `whole` those of the last step; in `stopped`, where the clock ended runs at about 7,500 of 13,000 steps, "
    "their moving average",
}
KEYS = {"lr": "learning_rate", "wd": "weight_decay", "ls": "label_smoothing", "first": "first_position",
        "share": "share_of_rows", "dropout": "dropout", "front": "vectors_in_front"}  # fmt: skip
PLACES = ("5", "10", "15")


def kept_row(row: dict[str, Any]) -> dict[str, Any]:
    """Settings, steps done, and the errors: of the average where the run was stopped, else of the weights."""
    average = row["done"] < row["steps"]
    found = {new: row[old] for old, new in KEYS.items()}
    moved = dict(zip(PLACES, row["moved"], strict=True))
    return found | {"steps": row["done"], "word_error": row["dev_wer"][int(average)][0], "moved": moved}


def collected(files: Iterable[Path]) -> dict[str, Any]:
    """The file that is kept: how it was measured, runs that came to their end, runs that were stopped."""
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    groups = {"whole": [row for row in rows if row["done"] == row["steps"]]}
    groups["stopped"] = [row for row in rows if row["done"] < row["steps"]]
    return {
        "command": "python -m lessons.experiments.pretraining_recipe",
        "setting": SETTING,
        **{group: [kept_row(row) for row in chosen] for group, chosen in groups.items()},
    }


@cache
def kept_recipe() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept


def runs(group: str, **settings: float) -> dict[str, Any]:
    """The one run of a group with these settings. Raises ValueError unless there is exactly one."""
    found = [row for row in kept_recipe()[group] if all(row[key] == value for key, value in settings.items())]
    if len(found) != 1:
        raise ValueError(f"{len(found)} runs in {group} have {settings}")
    return found[0]


PLAIN = {"learning_rate": 0.002, "weight_decay": 0.01, "label_smoothing": 0.0, "dropout": 0.1, "vectors_in_front": 0}
STARTS = {
    "always at 0": {"first_position": 0, "share_of_rows": 1.0},
    "0 to 7, all rows": {"first_position": 7, "share_of_rows": 1.0},
    "0 to 10, all rows": {"first_position": 10, "share_of_rows": 1.0},
    "0 to 15, all rows": {"first_position": 15, "share_of_rows": 1.0},
    "0 to 15, half of the rows": {"first_position": 15, "share_of_rows": 0.5},
}


def starts() -> dict[str, dict[str, float]]:
    """Where the letters began in training → word error with the letters moved by 0, 5, 10 and 15 places."""
    found = {name: runs("stopped", **PLAIN, **settings) for name, settings in STARTS.items()}
    return {name: {"0": row["word_error"], **row["moved"]} for name, row in found.items()}


def ingredients() -> dict[str, float]:
    """What differs from the plain recipe → word error, with a random start for half of the rows in all."""
    return {
        "rate 2e-3, decay 0.01": runs("whole", **PLAIN)["word_error"],
        "rate 4e-3, decay 0.1": runs("whole", **PLAIN | {"learning_rate": 0.004, "weight_decay": 0.1})["word_error"],
        "rate 3e-3, decay 0.3": runs("whole", **PLAIN | {"learning_rate": 0.003, "weight_decay": 0.3})["word_error"],
        "rate 4e-3, smoothing 0.1": runs("whole", **PLAIN | {"learning_rate": 0.004, "label_smoothing": 0.1})[
            "word_error"
        ],
    }


@kept_claim
def what_a_random_start_gives() -> Values:
    """Letters moved: a base that always began at 0 beside one that began anywhere for half of the rows."""
    by_start = starts()
    fixed, chosen, near = (by_start[name] for name in ("always at 0", "0 to 15, half of the rows", "0 to 7, all rows"))
    values = {
        "fixed": fixed["0"],
        "fixed_moved": min(fixed[place] for place in PLACES),
        "chosen": chosen["0"],
        "chosen_moved": max(chosen[place] for place in PLACES),
        "near_5": near["5"],
        "near_15": near["15"],
        "cost": chosen["0"] - fixed["0"],
    }
    claim(values["fixed_moved"] > 80, "letters moved ruin a base that began at 0", **values)
    claim(values["chosen_moved"] < 1.05 * values["chosen"], "with a random start they cost next to nothing", **values)
    claim(values["near_15"] > 2 * values["near_5"], "a base bears what it was shown", **values)
    claim(abs(values["cost"]) < 1, "unmoved it costs less than a point", **values)
    return values


@kept_claim
def what_rate_and_decay_give() -> Values:
    """The chosen rate and decay beside the plain ones and beside label smoothing."""
    errors = ingredients()
    values = {
        "plain": errors["rate 2e-3, decay 0.01"],
        "chosen": errors["rate 4e-3, decay 0.1"],
        "smooth": errors["rate 4e-3, smoothing 0.1"],
    }
    values |= {"gain": values["plain"] - values["chosen"], "apart": abs(values["smooth"] - values["chosen"])}
    claim(values["gain"] > 0.3, "a higher rate with decay is better", **values)
    claim(values["apart"] < 0.3, "label smoothing gives no more", **values)
    return values


@kept_claim
def what_longer_training_gives() -> Values:
    """The chosen recipe after the exploration's steps and after the base's own; tested on other words."""
    chosen = runs("whole", **PLAIN | {"learning_rate": 0.004, "weight_decay": 0.1})
    card = model_card()
    values = {
        "short": chosen["steps"],
        "short_error": chosen["word_error"],
        "long": card["training"]["steps"],
        "long_error": 100 * card["held_out"]["american"]["word_error"],
    }
    claim(
        values["short_error"] - values["long_error"] > what_rate_and_decay_give()["gain"], "length gave most", **values
    )
    return values


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        raise SystemExit(
            "name the files of rows, as the trainings wrote them: python -m lessons.experiments.pretraining_recipe ROWS.jsonl"
        )
    KEPT.write_text(json.dumps(collected(map(Path, arguments)), indent=1) + "\n", encoding="utf-8")
    print(KEPT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
