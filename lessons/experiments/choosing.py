"""Lesson 32's measurements: the saved comparison as a decision, and the volume of one adapter."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from statistics import mean, stdev
from typing import Any

from lessons.compare.kept import kept_report
from lessons.compare.report import by_method
from lessons.compare.study_rows import RESULTS
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.finetuning import adapted, learning_rates
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, highest, kept_claim, kept_mean, kept_rows, lowest
from peft import RECIPES, PeftModel

CUSTOMERS = 20
KILOBYTES = (600, 250, 60, 25)
FOUR_BITS = tuple(name for name in RECIPES if RECIPES[name].family == "4-bit base")
OWN_PARAMETERS = ("bitfit", "ln_tuning")
NO_ROOM = "the base does not fit in 16 bits"


def british(method: str) -> float:
    return 100 * kept_mean(method, "british", "word_error")


def kilobytes(method: str) -> float:
    return float(kept_rows(method)[0]["adapter_bytes"]) / 1e3


@cache
def techniques() -> tuple[str, ...]:
    """All of the saved comparison but training from scratch, the best first."""
    return tuple(sorted((name for name in by_method(kept_report()) if name != "scratch"), key=british))


@cache
def answers(method: str) -> tuple[bool, bool]:
    """(merges, mixes) of a technique on the base: asked of the code, not remembered."""
    model = adapted(method)
    adapter: Any = model.adapters["default"]
    mixes = bool(adapter.additive)
    try:
        with warnings.catch_warnings(action="ignore"):  # merging into four bits warns that it is lossy
            model.merge_and_unload()
    except ValueError:
        return False, mixes
    return True, mixes


def seconds(method: str) -> float:
    """Time of the same steps, as a multiple of full fine-tuning's."""
    return kept_mean(method, "seconds") / kept_mean("full", "seconds")


def questions() -> dict[str, Callable[[str], bool]]:
    """What must hold → does it hold for this technique?"""
    below: dict[str, Callable[[str], bool]] = {
        f"a file below {size} kB for each task": lambda method, size=size: kilobytes(method) < size  # type: ignore[misc]
        for size in KILOBYTES
    }
    return {
        "anything goes": lambda method: True,
        **below,
        "no cost when used: it merges": lambda method: answers(method)[0],
        "many tasks in one batch: it mixes": lambda method: answers(method)[1],
        NO_ROOM: lambda method: method in FOUR_BITS,
        "no step slower than full fine-tuning": lambda method: seconds(method) <= 1,
        "only biases or norms of the base": lambda method: method in OWN_PARAMETERS,
    }


def fitting(question: str) -> dict[str, float]:
    """Technique → British word error, for those that fit. A base in 4 bits only where the memory asks for it."""
    fits, four_bits = questions()[question], question == NO_ROOM
    return {name: british(name) for name in techniques() if fits(name) and (four_bits or name not in FOUR_BITS)}


def prices() -> list[list[str]]:
    """The prices of every technique, the lines of a table."""
    lines = [["technique", "British WER, %", "file, kB", "12 bytes × trained, kB", "step, × full", "merges", "mixes"]]
    for method in techniques():
        states = 12 * kept_rows(method)[0]["trainable_parameters"] / 1e3
        marks = ["yes" if answer else "–" for answer in answers(method)]
        numbers = [f"{british(method):.1f}", f"{kilobytes(method):,.0f}", f"{states:,.0f}", f"{seconds(method):.2f}"]
        lines.append([f"`{method}`", *numbers, *marks])
    return lines


def twenty_customers() -> Values:
    """The example by hand: megabytes for twenty models, and for one base with twenty adapters."""
    full, lora = kilobytes("full") / 1e3, kilobytes("lora") / 1e3
    return {"full": full, "lora": lora, "models": CUSTOMERS * full, "adapters": full + CUSTOMERS * lora, "n": CUSTOMERS}


@kept_claim
def leads_and_seeds() -> Values:
    """How far the best is ahead of the next ones, beside the spread of the seeds."""
    spread = mean(stdev(100 * row["british"]["word_error"] for row in kept_rows(name)) for name in techniques())
    errors = {name: british(name) for name in techniques()}
    best = lowest(errors)
    level = [name for name in errors if errors[name] - errors[best] < 2 * spread]
    values: Values = {
        "best": best, "best_error": errors[best], "spread": spread, "level": len(level), "all": len(errors),
        "smallest": min(level, key=kilobytes), "smallest_kb": min(map(kilobytes, level)), "largest_kb": max(map(kilobytes, level)),
    }  # fmt: skip
    claim(len(level) > 1, "several techniques are level with the best", level=len(level), spread=spread)
    return values


@kept_claim
def complex_techniques_beside_simple() -> Values:
    """Word errors of those that are said to be for complex tasks, and of those that are said to be for small machines."""
    names = ("p_tuning_v2", "p_tuning", "lora", "adapter_parallel", "full")
    values = {name: british(name) for name in names}
    claim(
        max(values["lora"], values["adapter_parallel"]) < min(values["p_tuning_v2"], values["p_tuning"]),
        "the simple ones are the good ones",
        **values,
    )
    return values


@kept_claim
def rates_differ() -> Values:
    """The greatest and the least of the searched rates of those that start from the base."""
    rates = {name: rate for name, rate in learning_rates().items() if name != "scratch"}
    most, least = highest(rates), lowest(rates)
    values: Values = {
        "most": most,
        "least": least,
        "most_rate": rates[most],
        "least_rate": rates[least],
        "factor": rates[most] / rates[least],
    }
    claim(values["factor"] > 100, "rates differ by more than a hundred", factor=values["factor"])
    return values


def volumes(scales: Sequence[float], count: int) -> dict[float, tuple[float, float]]:
    """Volume of the shipped LoRA adapter → (British, American) word error in per cent on `count` held-out words."""
    model = PeftModel.from_pretrained(load_base(), RESULTS.parent / "adapters" / "british" / "lora")
    names = {scale: f"volume {100 * scale:.0f}" for scale in scales if scale}
    for scale, name in names.items():
        model.add_weighted_adapter(["default"], [scale], name, "cat")

    def errors() -> tuple[float, float]:
        british, american = (
            100 * evaluate(model, words(accent, "test", count), accent).word_error for accent in ("british", "american")
        )
        return british, american

    found = {}
    for scale in scales:
        if not scale:
            with model.disable_adapter():
                found[scale] = errors()
        else:
            model.set_adapter(names[scale])
            found[scale] = errors()
    return found
