"""A case: an illness that is made on purpose, and repaired. `make` gives the arguments of `measure` for both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lessons.clinic.world import World

Settings = dict[str, Any]

GROUPS = (
    "the merged or exported model is not the tuned one",
    "merging QLoRA: which base, which rounding",
    "adapter loaded, and the output is the base's, or random",
    "it forgets what it knew",
    "rank, alpha, targets, rate",
    "the loss is 0 or NaN, or stays where it is",
    "the loss is taken over the wrong tokens",
    "accumulated is not the large batch",
)


@dataclass(frozen=True)
class Case:
    """`group`: what the user sees, one of GROUPS by its number from 1. `threads`: where it was reported, "owner/name#1".

    `causal`   needs a model that continues text
    """

    name: str
    group: int
    symptom: str
    cause: str
    repair: str
    threads: tuple[str, ...]
    lesson: int
    make: Callable[[World], tuple[Settings, Settings]]
    causal: bool = False

    @property
    def links(self) -> list[str]:
        """Addresses of the threads."""
        return [f"https://github.com/{place}/issues/{number}" for place, number in (t.split("#") for t in self.threads)]
