"""Which matrices should LoRA sit on, and of which rank?

    python -m lessons.compare.lora_study

LoRA of rank 8 on q and v, on all of the attention, on the feed-forward, on all
linear layers; and of rank 1 to 64 on all linear layers, with alpha = 2 r, so
that the scale alpha / r is the same. Each at the rate that suits rank 8 on all
layers, and at its own, which is searched; three seeds, all held-out words. Into
lessons/results/: lora_study_rates.json and lora_study.json. Stopped, it goes on.
"""

import json
import sys
from functools import cache
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.compare.study import Variant, parse, run_study
from lessons.compare.study_rows import RESULTS, errors_at
from lessons.drawing.means import mean_sd
from lessons.drawing.style import BEFORE, INDIGO
from lessons.task.finetuning import rate_of

PLACES: dict[str, Any] = {
    "q, v": ("q_proj", "v_proj"),
    "attention": ("q_proj", "k_proj", "v_proj", "out_proj"),
    "feed-forward": ("fc1", "fc2"),
    "all linear": "all-linear",
}
RANK, RANKS = 8, (1, 2, 4, 8, 16, 32, 64)


def variant(place: str, rank: int) -> Variant:
    return Variant("lora", {"r": rank, "lora_alpha": 2 * rank, "target_modules": PLACES[place]})


def name_of(place: str, rank: int) -> str:
    return f"{place}, rank {rank}"


def variants() -> dict[str, Variant]:
    """Ten of them: rank 8 on all linear layers belongs to both questions."""
    asked = [*((place, RANK) for place in PLACES), *(("all linear", rank) for rank in RANKS)]
    return {name_of(place, rank): variant(place, rank) for place, rank in asked}


def main(arguments: list[str]) -> int:
    options = parse(arguments, "lora_study", __doc__)
    rows = run_study(variants(), "lora_study", {"lora": rate_of("lora")}, options)
    return int(any("failed" in row for row in rows))


@cache
def load_study() -> dict[str, Any]:
    """The kept study: "equal" the one rate, "own" the searched rate of each variant, "rows" what was measured."""
    kept: dict[str, Any] = json.loads((RESULTS / "lora_study.json").read_text(encoding="utf-8"))
    return kept


def word_errors(study: dict[str, Any], place: str, rank: int, own: bool) -> tuple[float, float] | None:
    """British word error in per cent, mean and deviation over the seeds, at the variant's own rate or at the equal one."""
    name = name_of(place, rank)
    return mean_sd(errors_at(study["rows"], name, study["own"][name] if own else study["equal"]["lora"]))


def trained_parameters(study: dict[str, Any], place: str, rank: int) -> int:
    return next(row["trainable_parameters"] for row in study["rows"] if row["name"] == name_of(place, rank))


def draw_study(study: dict[str, Any]) -> Figure:
    """Left the places at rank 8, right the ranks on all linear layers; hollow at the equal rate, full at its own."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    draw_line(left, study, [(place, RANK) for place in PLACES])
    left.set_xticks(range(len(PLACES)), [f"{place}\n{trained_parameters(study, place, RANK):,}" for place in PLACES])
    left.set_xlabel(f"where LoRA sits (rank {RANK}), and its parameters")
    draw_line(right, study, [("all linear", rank) for rank in RANKS])
    right.set_xticks(range(len(RANKS)), [str(rank) for rank in RANKS])
    right.set_xlabel("rank (on all linear layers, α = 2 r)")
    left.set_ylabel("British word error, %")
    right.legend(fontsize=8)
    return figure


def draw_line(axis: Axes, study: dict[str, Any], asked: list[tuple[str, int]]) -> None:
    for own, label, colour, face in (
        (False, f"at {study['equal']['lora']:g}, the rate of rank {RANK} on all", BEFORE, "white"),
        (True, "at its own rate", INDIGO, INDIGO),
    ):
        found = [(x, word_errors(study, place, rank, own)) for x, (place, rank) in enumerate(asked)]
        points = [(x, *errors) for x, errors in found if errors]
        places, means, deviations = zip(*points, strict=True)
        axis.errorbar(
            places, means, yerr=deviations, fmt="o-", color=colour, markerfacecolor=face, capsize=2, label=label
        )
    axis.grid(True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
