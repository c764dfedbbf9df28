"""Lesson 32's measurements of few and many words: what they bring, what is forgotten, where learning by heart begins."""

import json
from collections.abc import Mapping
from functools import cache
from statistics import mean
from typing import Any

from lessons.compare.study_rows import RESULTS
from lessons.teaching import Values, claim, highest, kept_claim, lowest

Curve = list[dict[str, float]]


@cache
def amounts() -> dict[tuple[str, int], list[Curve]]:
    """(technique, words) → a curve for each seed, of lessons/results/amounts.json."""
    curves: dict[tuple[str, int], list[Curve]] = {}
    for row in json.loads((RESULTS / "amounts.json").read_text(encoding="utf-8"))["rows"]:
        curves.setdefault((row["method"], row["words"]), []).append(row["curve"])
    return curves


def amount_names() -> list[str]:
    return list(dict.fromkeys(method for method, _ in amounts()))


def counts() -> list[int]:
    return sorted({count for _, count in amounts()})


def at(method: str, count: int, what: str, point: int = -1) -> float:
    """Word error in per cent at one of the looks, mean over the seeds."""
    return 100 * mean(curve[point][what] for curve in amounts()[method, count])


@kept_claim
def how_much_data() -> Values:
    """What few and many words bring, and how far learnt and held-out words are apart."""
    few, many, tuned = counts()[0], counts()[-1], [name for name in amount_names() if name != "scratch"]
    start = at("full", few, "british", 0)
    off = {name: 100 * (start - at(name, few, "british")) / start for name in tuned}
    gap = {
        count: {name: at(name, count, "british") - at(name, count, "training") for name in tuned}
        for count in (few, many)
    }
    values: Values = {
        "few": few,
        "many": many,
        "start": start,
        "least_off": min(off.values()),
        "most_off": max(off.values()),
    }
    values |= {
        f"{name}_{word}": at(name, count, "british")
        for name in amount_names()
        for word, count in (("few", few), ("many", many))
    }
    values |= {"gap_few": min(gap[few].values()), "gap_many": max(gap[many].values())}
    values["apart_few"] = max(values[f"{name}_few"] for name in tuned) - min(values[f"{name}_few"] for name in tuned)
    values["apart_many"] = max(values[f"{name}_many"] for name in tuned) - min(values[f"{name}_many"] for name in tuned)
    values["learns_least"] = highest({name: values[f"{name}_many"] for name in tuned})
    values["forgets_least"] = lowest({name: at(name, many, "american") for name in tuned})
    values["kept_few"], values["kept_many"] = (
        min(at(name, count, "american") for name in tuned) for count in (few, many)
    )
    claim(
        values["gap_many"] < values["gap_few"],
        "with more words, learnt and held-out words come together",
        **only_numbers(values),
    )
    claim(
        values["scratch_many"] > max(values[f"{name}_few"] for name in tuned),
        "a base and few words beat many words without",
        **only_numbers(values),
    )
    return values


@kept_claim
def overfitting_step_by_step() -> Values:
    """LoRA on the fewest words: the look at which held-out words are best, and the end."""
    few, many = counts()[0], counts()[-1]
    looks = range(1, len(amounts()["lora", few][0]))
    held_out = {look: at("lora", few, "british", look) for look in looks}
    best = min(held_out, key=held_out.__getitem__)
    values: Values = {
        "few": few, "many": many, "steps": amounts()["lora", few][0][-1]["step"], "best_step": amounts()["lora", few][0][best]["step"],
        "best": held_out[best], "end": held_out[looks[-1]],
        "training": at("lora", few, "training"), "many_training": at("lora", many, "training"), "many_end": at("lora", many, "british"),
        "american_best": at("lora", few, "american", best), "american_end": at("lora", few, "american"),
    }  # fmt: skip
    values["rise"] = (
        "That rise is overfitting as well."
        if f"{values['end']:.1f}" != f"{values['best']:.1f}"
        else "There is no rise that these digits show: the gap alone is the overfitting."
    )
    claim(values["training"] < 5, "the few words are learnt by heart", training=values["training"])
    claim(
        values["end"] - values["training"] > 3 * (values["many_end"] - values["many_training"]),
        "the gap is far larger on few words",
        **only_numbers(values),
    )
    return values


def only_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in values.items() if isinstance(value, (int, float))}
