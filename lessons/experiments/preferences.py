"""Lesson 24's sentences, computed from the saved runs: what PPO followed, what DPO moved, how far people agree."""

import json
import math
from functools import cache
from statistics import mean
from typing import Any

from lessons.compare.study import RESULTS
from lessons.preferences.figures import history
from lessons.preferences.tables import rows_by_arm
from lessons.teaching import Values, about, claim, kept_claim, lowest

SHARE = 0.8
"""Of the people who prefer one of two answers, in the example of the ceiling."""


@cache
def kept_arms(world: str) -> dict[str, list[dict[str, Any]]]:
    """Arm → its rows, one for each seed, of lessons/results/rlhf.json."""
    found: dict[str, list[dict[str, Any]]] = rows_by_arm(json.loads((RESULTS / "rlhf.json").read_text("utf-8")), world)
    return found


@cache
def kept_ratings() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "ratings.json").read_text(encoding="utf-8"))
    return found


def at_end(arm: str, column: str, world: str = "notes") -> float:
    return mean(row["final"][column] for row in kept_arms(world)[arm])


@kept_claim
def proxy_and_truth() -> Values:
    """The proxy and the truth of the reference, of PPO without a price, and of PPO with one."""
    names = {"before": "reference", "free": "PPO β=0", "held": "PPO β=0.1"}
    values = {f"{name}_{what}": at_end(arm, what) for name, arm in names.items() for what in ("proxy", "gold")}
    claim(values["free_proxy"] > values["before_proxy"], "without a price the proxy rises", **values)
    claim(values["free_gold"] < values["before_gold"], "without a price the truth falls", **values)
    claim(values["held_gold"] > values["before_gold"], "with a price the truth rises", **values)
    return values


@kept_claim
def inside_ppo() -> Values:
    """First and last step of what one watches: clipped ratios, entropy, what the value head explains."""
    values: Values = {}
    for name, arm in (("free", "PPO β=0"), ("held", "PPO β=0.1"), ("tight", "PPO β=0.4")):
        for column, scale in (("clipped", 100), ("entropy", 1), ("explained", 100), ("kl", 1)):
            curve = history(kept_arms("notes")[arm], column)
            values |= {f"{name}_{column}_first": scale * curve[0], f"{name}_{column}_last": scale * curve[-1]}
    ratios = [history(kept_arms("notes")[arm], "ratio") for arm in ("PPO β=0", "PPO β=0.1", "PPO β=0.4")]
    values["furthest_ratio"] = max(abs(ratio - 1) for curve in ratios for ratio in curve)
    claim(values["furthest_ratio"] < 0.1, "the mean ratio stays near 1", **values)
    claim(values["free_clipped_last"] < values["free_clipped_first"], "fewer ratios are clipped at the end", **values)
    claim(values["free_entropy_last"] < values["free_entropy_first"], "without a price the entropy falls", **values)
    claim(
        about(values["tight_entropy_last"], values["tight_entropy_first"]),
        "for β = 0.4 the entropy hardly moves",
        **values,
    )
    claim(values["free_explained_last"] > values["free_explained_first"], "the value head learns to explain", **values)
    claim(
        values["tight_kl_last"] < values["held_kl_last"] < values["free_kl_last"],
        "the price holds the policy",
        **values,
    )
    return values


@kept_claim
def both_sides_of_dpo() -> Values:
    """The log-ratios of the chosen and the rejected answers at the end, and how many times less likely they are."""
    rows = kept_arms("notes")["DPO β=0.1"]
    chosen, rejected = (history(rows, f"{side}_log_ratio")[-1] for side in ("chosen", "rejected"))
    values = {
        "chosen": chosen, "rejected": rejected, "margin": chosen - rejected,
        "chosen_times": math.exp(-chosen), "rejected_times": math.exp(-rejected),
    }  # fmt: skip
    claim(chosen < 0, "the chosen answers become less likely too", **values)
    claim(rejected < chosen, "the rejected ones lose more", **values)
    return values


@kept_claim
def answers_beside_judgements() -> Values:
    """Greedy British word error after each kind of feedback on real words, in per cent."""
    arms = {
        "reference": "reference",
        "ppo": "PPO β=0.1",
        "grpo": "GRPO β=0.1",
        "dpo": "DPO β=0.1",
        "told": "told the answer",
    }
    values = {name: 100 * at_end(arm, "word_error", "words") for name, arm in arms.items()}
    judged = min(values[name] for name in ("ppo", "grpo", "dpo"))
    values["judged_gain"], values["told_gain"] = values["reference"] - judged, values["reference"] - values["told"]
    claim(
        values["told_gain"] > 2 * values["judged_gain"], "the answer itself teaches far more than a judgement", **values
    )
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
