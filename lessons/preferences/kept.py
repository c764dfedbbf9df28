"""The saved runs of learning from preferences, as lessons 24 to 27 read them: arms, their ends, the ratings of people."""

import json
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import lessons
from lessons.preferences.tables import rows_by_arm

RESULTS = Path(lessons.__file__).parent / "results"


@cache
def kept_report() -> dict[str, Any]:
    """lessons/results/rlhf.json, of `python -m lessons rlhf --seeds 3`."""
    found: dict[str, Any] = json.loads((RESULTS / "rlhf.json").read_text(encoding="utf-8"))
    return found


@cache
def kept_arms(world: str) -> dict[str, list[dict[str, Any]]]:
    """Arm → its rows, one for each seed."""
    return rows_by_arm(kept_report(), world)


@cache
def kept_ratings() -> dict[str, Any]:
    """lessons/results/ratings.json, of `python -m lessons rlhf --ratings`."""
    found: dict[str, Any] = json.loads((RESULTS / "ratings.json").read_text(encoding="utf-8"))
    return found


def at_end(arm: str, column: str, world: str = "notes") -> float:
    """What an arm ended with on held-out prompts, the mean of the seeds."""
    return mean(row["final"][column] for row in kept_arms(world)[arm])


def seed_by_seed(arm: str, column: str, world: str = "notes") -> list[float]:
    return [row["final"][column] for row in kept_arms(world)[arm]]
