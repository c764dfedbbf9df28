"""Lesson 24's measurements: Bradley and Terry by hand, notes that a reward model never saw, how far people agree."""

from typing import Any

import numpy as np
import torch

from lessons.preferences import notes
from lessons.preferences.kept import kept_arms, kept_ratings
from lessons.preferences.world import World
from lessons.teaching import Values, claim, kept_claim, lowest
from rlhf import Preferences
from rlhf.responses import response_mask
from transformer.learning.batching import pad

CHOSEN, REJECTED = 2.0, 1.0
"""The rewards of the example by hand."""
SHARE = 0.8
"""Of the people who prefer one of two answers, in the example of the ceiling."""


def repeated(world: World, most: int) -> list[tuple[float, float]]:
    """(proxy, gold) of notes of all capitals, the first capital said again 0 to `most` times: their means."""
    source = [row for row in world.held_out.tolist() if capitals(row)]
    found = []
    for times in range(most + 1):
        responses = pad([capitals(row) + capitals(row)[:1] * times + [notes.EOS] for row in source], notes.PAD)
        asked, mask = torch.tensor(source), response_mask(responses, notes.EOS)
        with torch.no_grad():
            proxy, gold = (float(judge(asked, responses, mask).mean()) for judge in (world.reward_model, notes.gold))
        found.append((proxy, gold))
    return found


def capitals(row: list[int]) -> list[int]:
    """The different capitals of a source, in order: the best note."""
    letters = dict.fromkeys(row[: notes.LENGTH])
    return [letter for letter in letters if letter < notes.FIRST + notes.CAPITALS]


def longer_is_chosen(pairs: Preferences) -> float:
    """Of the pairs of unequal length, the per cent in which the longer note was chosen."""
    chosen, rejected = ((side != notes.PAD).sum(dim=1) for side in (pairs.chosen, pairs.rejected))
    return float(100 * (chosen > rejected).sum() / (chosen != rejected).sum())


def share_of_repeats(pairs: Preferences, times: range) -> float:
    """The per cent of the judged notes that say letters again so many times."""
    both = torch.cat([pairs.chosen, pairs.rejected]).tolist()
    letters = [[token for token in note if token >= notes.FIRST] for note in both]
    repeats = [len(note) - len(set(note)) for note in letters]
    return 100 * sum(found in times for found in repeats) / len(letters)


def kept_margins(world: str) -> Any:
    return np.concatenate([row["margins"] for row in kept_arms(world)["reference"]])


@kept_claim
def as_sure_as_right() -> Values:
    """The reward model's surest quarter of the held-out pairs: what its sigmoid promises and what comes true."""
    values: Values = {}
    for world in ("notes", "words"):
        margins = kept_margins(world)
        sure = np.abs(margins) >= np.quantile(np.abs(margins), 0.75)
        values |= {
            f"{world}_right": 100 * float((margins > 0).mean()),
            f"{world}_surest": 100 * float((margins[sure] > 0).mean()),
            f"{world}_promised": 100 * float((1 / (1 + np.exp(-np.abs(margins[sure])))).mean()),
        }
    for world in ("notes", "words"):
        claim(values[f"{world}_surest"] > values[f"{world}_right"], "where it is sure it is more often right", **values)
        gap = abs(values[f"{world}_promised"] - values[f"{world}_surest"])
        claim(gap < 5, "about what it promises comes true", **values)
    return values


@kept_claim
def people_and_the_model() -> Values:
    """How often two people agree, how often the reward model agrees with people; and why the first bounds nothing."""
    domains = kept_ratings()["domains"]
    people, model = ({name: 100 * found[who] for name, found in domains.items()} for who in ("people", "model"))
    least = lowest(people)
    claim(lowest(model) == least, "the model agrees least where people do")
    two, constant = SHARE**2 + (1 - SHARE) ** 2, max(SHARE, 1 - SHARE)
    claim(constant > two, "one answer for all agrees with more people than people with each other")
    return {
        "least": least, "least_people": people[least], "least_model": model[least],
        "share": 100 * SHARE, "two": 100 * two, "constant": 100 * constant,
    }  # fmt: skip
