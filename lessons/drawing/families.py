"""Techniques in figures: each has the colour and the marker of its family, the same in every figure.

A recipe says its family (peft/recipes.py). One that is not in this table is drawn as "other".
"""

from typing import NamedTuple

from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, ORANGE, PINK, SKY, WINE
from peft import RECIPES


class Family(NamedTuple):
    """Relatives that share a colour, and a marker for who sees no colours."""

    name: str
    colour: str
    marker: str


NO_BASE, OTHER = Family("no base", WINE, "X"), Family("other", BEFORE, "*")
FAMILIES = {
    family.name: family
    for family in (
        Family("own parameters", BLACK, "o"),
        Family("LoRA family", INDIGO, "s"),
        Family("scaled features", ORANGE, "^"),
        Family("adapters", GREEN, "D"),
        Family("prompts, prefixes", PINK, "v"),
        Family("4-bit base", SKY, "P"),
        NO_BASE,
        OTHER,
    )
}


def family(method: str) -> Family:
    """The family of a technique; of "scratch", which no recipe makes, "no base"."""
    if method == "scratch":
        return NO_BASE
    return FAMILIES.get(RECIPES[method].family, OTHER) if method in RECIPES else OTHER
