"""Lesson 32's measurements: the saved comparison as a decision, data amounts, and the same beside another comparison."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import mean, stdev
from typing import Any

from lessons.compare.beside_hf import agreements, both, gain_of_a_rate, load_hf, rank_agreement
from lessons.compare.kept import kept_report
from lessons.compare.report import by_method
from lessons.compare.study import RESULTS
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.finetuning import adapted, learning_rates
from lessons.task.scoring import evaluate
from lessons.teaching import Values, about, claim, highest, kept_claim, kept_mean, kept_rows, lowest
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
        "only numbers that the base has": lambda method: method in OWN_PARAMETERS,
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


@kept_claim
def beside_hugging_face() -> Values:
    """The two orders of the techniques that both comparisons have, and what one of theirs gains by its setting."""
    report = kept_report()
    found = agreements(report)
    low, high = gain_of_a_rate("prompt_tuning")
    rows = {row.method: row for row in both(report)}
    lead = rows["lora"].theirs["accuracy"] - rows["full"].theirs["accuracy"]
    values: Values = {
        "shared": len(rows), "settings": len(load_hf()["rows"]), "agreement": rank_agreement(list(rows.values())),
        "same": sum(ours == theirs for ours, theirs in found.values()), "of": len(found),
        "low": 100 * low, "high": 100 * high, "lead": 100 * lead, "ln_tuning": 100 * rows["ln_tuning"].theirs["accuracy"],
        "ln_rate": rows["ln_tuning"].theirs["rate"], "our_ln": british("ln_tuning"), "our_ln_rate": learning_rates()["ln_tuning"],
    }  # fmt: skip
    billions = float(str(load_hf()["model"]).rpartition("-")[2].removesuffix("B"))
    smaller = 1e9 * billions / kept_rows("full")[0]["trainable_parameters"]
    claim(about(smaller, 2000), "our base is two thousand times smaller", smaller=smaller)
    claim(values["agreement"] > 0.3, "the orders agree in the main", agreement=values["agreement"])
    claim(found["LoRA is at least as good as full fine-tuning"][1], "in theirs LoRA is no worse than full", lead=lead)
    claim(high - low > 5 * lead, "a setting does more than the step from full to LoRA", low=low, high=high, lead=lead)
    return values


def agreement_table() -> list[list[str]]:
    """Claim, ours, theirs, the lines of a table."""
    marks = {True: "yes", False: "no"}
    found = agreements(kept_report()).items()
    return [["", "here", "there"], *([said, marks[ours], marks[theirs]] for said, (ours, theirs) in found)]


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
        "best": held_out[best], "end": held_out[looks[-1]], "cost": held_out[looks[-1]] - held_out[best],
        "training": at("lora", few, "training"), "many_training": at("lora", many, "training"), "many_end": at("lora", many, "british"),
        "american_best": at("lora", few, "american", best), "american_end": at("lora", few, "american"),
    }  # fmt: skip
    values["rise"] = (
        "That small rise is overfitting as well."
        if values["cost"] > 0
        else "There is no rise at the end: the gap alone is the overfitting."
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
