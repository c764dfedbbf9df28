"""Lesson 13's claims on kept runs: which matrices and ranks, and LoRA beside full fine-tuning."""

from math import sqrt
from statistics import mean, stdev
from typing import Any

from lessons.compare.lora_study import PLACES, RANK, RANKS, load_study, trained_parameters, word_errors
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_report, kept_rows, lowest

STUDY = "python -m lessons.compare.lora_study"


def kept_study() -> dict[str, Any] | None:
    """The study of places and ranks, where it has been run."""
    try:
        return load_study()
    except FileNotFoundError:
        return None


@kept_claim
def places_and_ranks() -> Values:
    """The study's findings: the best place and rank, each at its own rate, and how far the others are from them."""
    study = kept_study()
    if study is None:
        return {"command": STUDY}
    places = {place: word_errors(study, place, RANK, own=True) for place in PLACES}
    ranks = {str(rank): word_errors(study, "all linear", rank, own=True) for rank in RANKS}
    by_place = {name: errors[0] for name, errors in places.items() if errors}
    by_rank = {name: errors[0] for name, errors in ranks.items() if errors}
    best, rank = lowest(by_place), lowest(by_rank)
    claim(by_place[best] <= by_place["q, v"], "some place is at least as good as the paper's", best=by_place[best])
    return {
        "best": best,
        "best_error": by_place[best],
        "attention_error": by_place["q, v"],
        "attention_parameters": trained_parameters(study, "q, v", RANK),
        "best_parameters": trained_parameters(study, best, RANK),
        "rank": rank,
        "rank_error": by_rank[rank],
        "one_error": by_rank["1"],
        "most_error": by_rank[str(RANKS[-1])],
        "command": STUDY,
    }


def per_seed(method: str, *keys: str) -> list[float]:
    """One number of a technique's kept rows, for each seed."""
    values: list[Any] = kept_rows(method)
    for key in keys:
        values = [value[key] for value in values]
    return values


def beside(first: str, second: str, *keys: str) -> str:
    """Which way the saved run went: "above", "below" or, within twice the error of the difference, "level with"."""
    sides = [per_seed(method, *keys) for method in (first, second)]
    difference = mean(sides[0]) - mean(sides[1])
    spread = sqrt(sum(stdev(side) ** 2 / len(side) for side in sides if len(side) > 1))
    return "level with" if abs(difference) <= 2 * spread else "above" if difference > 0 else "below"


@kept_claim
def lora_beside_full() -> Values:
    """Parameters, seconds, memory and errors of LoRA and of full fine-tuning in the saved run."""
    values = {
        f"{method}_{name}": scale * kept_mean(method, *keys)
        for method in ("lora", "full")
        for name, scale, keys in (
            ("trained", 1, ("trainable_parameters",)),
            ("seconds", 1, ("seconds",)),
            ("peak", 1e-6, ("peak_memory_bytes",)),
            ("british", 100, ("british", "phoneme_error")),
            ("american", 100, ("american", "phoneme_error")),
        )
    }
    claim(values["lora_trained"] < 0.2 * values["full_trained"], "LoRA trains few numbers", **values)
    claim(values["lora_seconds"] > 0.8 * values["full_seconds"], "LoRA saves no time here", **values)
    claim(values["lora_peak"] > 0.95 * values["full_peak"], "LoRA saves no memory here", **values)
    base = 100 * kept_report()["base"]["american"]["phoneme_error"]
    claim(values["lora_american"] > 1.5 * base, "with LoRA on, American is forgotten", base=base, **values)
    return {
        **values,
        "base": base,
        "seeds": len(kept_rows("lora")),
        "steps": kept_report()["run"]["steps"],
        "british_way": beside("lora", "full", "british", "phoneme_error"),
        "american_way": beside("lora", "full", "american", "phoneme_error"),
    }
