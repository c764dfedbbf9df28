"""Our comparison beside Hugging Face PEFT's `method_comparison`: what agrees, and what does not.

Theirs: Llama-3.2-3B on MetaMathQA, accuracy, forgetting, memory and seconds of 63 settings, with one seed each and rates that
who contributed a setting chose. Ours: a small base, with several seeds and a searched rate for each technique. Where they
have several settings of one technique, the best counts, which is the nearest that there is to a searched rate.
`python -m tests.tools.hf_method_comparison` made lessons/results/hf_method_comparison.json.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import correlation, mean
from typing import Any, NamedTuple

from lessons.compare.report import by_method

KEPT = Path(__file__).parent.parent / "results" / "hf_method_comparison.json"
THEIRS = {
    "full": ("full-finetuning", ""),
    "ln_tuning": ("ln_tuning", ""),
    "lora": ("lora", "rank32 rank64 rank10-target-mlp"),
    "rslora": ("lora", "rank64-rslora"),
    "dora": ("lora", "rank32-dora"),
    "vera": ("vera", ""),
    "ia3": ("ia3", ""),
    "prompt_tuning": ("prompt_tuning", ""),
    "p_tuning": ("ptuning", ""),
    "prefix_tuning": ("prefixtuning", ""),
}
"""Our name → their method, and which of its experiments are the same technique (none named: all)."""
MODEL = "llama-3.2-3B-"


class Both(NamedTuple):
    """One technique in both comparisons: `word_error` is our mean over the seeds, `theirs` their best line."""

    method: str
    word_error: float
    theirs: Mapping[str, Any]


@cache
def load_hf() -> dict[str, Any]:
    """Their results: origin, commit, licence, and a line for each setting."""
    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return kept


def lines_of(method: str) -> list[dict[str, Any]]:
    """Their lines of one of our techniques."""
    name, experiments = THEIRS[method]
    wanted = {MODEL + experiment for experiment in experiments.split()}
    return [row for row in load_hf()["rows"] if row["method"] == name and (not wanted or row["experiment"] in wanted)]


def both(report: Mapping[str, Any]) -> list[Both]:
    """The techniques that both have, our best first."""
    ours = {method: mean(row["british"]["word_error"] for row in rows) for method, rows in by_method(report).items()}
    shared = [Both(name, ours[name], max(lines_of(name), key=accuracy)) for name in THEIRS if name in ours]
    return sorted(shared, key=lambda row: row.word_error)


def accuracy(row: Mapping[str, Any]) -> float:
    return float(row["accuracy"])


def rank_agreement(rows: Sequence[Both]) -> float:
    """Spearman's rank correlation of the two orders: 1 for the same, -1 for the reverse."""
    return correlation(ranks([row.word_error for row in rows]), ranks([-accuracy(row.theirs) for row in rows]))


def ranks(values: Sequence[float]) -> list[float]:
    """1 for the least; equal values share the mean of their places."""
    ordered = sorted(values)
    return [mean(place for place, other in enumerate(ordered, start=1) if other == value) for value in values]


def agreements(report: Mapping[str, Any]) -> dict[str, tuple[bool, bool]]:
    """Claim → whether it is so in ours, and in theirs."""
    rows = {row.method: row for row in both(report)}
    ours = {name: -row.word_error for name, row in rows.items()}
    theirs = {name: accuracy(row.theirs) for name, row in rows.items()}

    def each(holds: Any) -> tuple[bool, bool]:
        return holds(ours), holds(theirs)

    prompts = ("prompt_tuning", "p_tuning")
    return {
        "LoRA is at least as good as full fine-tuning": each(lambda good: good["lora"] >= good["full"]),
        "VeRA is better than IA3": each(lambda good: good["vera"] > good["ia3"]),
        "prefix tuning is better than prompt tuning": each(lambda good: good["prefix_tuning"] > good["prompt_tuning"]),
        "LayerNorm tuning is better than prompt tuning": each(lambda good: good["ln_tuning"] > good["prompt_tuning"]),
        "apart from LayerNorm tuning, prompt tuning and P-Tuning are last": each(
            lambda good: (
                max(good[name] for name in prompts)
                < min(good[name] for name in good if name not in (*prompts, "ln_tuning"))
            )
        ),
    }


def gain_of_a_rate(method: str) -> tuple[float, float]:
    """Their least and their greatest accuracy of one technique: how much hangs on its setting."""
    found = [accuracy(row) for row in lines_of(method)]
    return min(found), max(found)
