"""What can a prompt do: how many vectors, which start, letters moved or in place?

    python -m lessons.compare.prompt_study

Prompt tuning with 1, 5 and 10 vectors, from random numbers and from the
vocabulary, and P-Tuning with as many; each at the rate that suits 5 vectors and
at its own, which is searched; three seeds, all held-out words. "In place": the
same with the base's positions moved back, so that every letter stands where it
stood without the prompt: what is then still missing is capacity. Into
lessons/results/: prompt_study_rates.json and prompt_study.json. Stopped, it
goes on.
"""

import json
import sys
from functools import cache
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lessons.compare.study import Variant, parse, run_study
from lessons.compare.study_rows import RESULTS, errors_at
from lessons.drawing.means import mean_sd
from lessons.drawing.style import BEFORE, INDIGO, ORANGE, PINK
from lessons.task.finetuning import rate_of

LENGTHS = (1, 5, 10)
KINDS = {"prompt, vocabulary": "SAMPLE_VOCAB", "prompt, random": "RANDOM", "P-Tuning": ""}
IN_PLACE = ", in place"


def variant(kind: str, length: int, back: int = 0) -> Variant:
    if kind == "P-Tuning":
        return Variant("p_tuning", {"num_virtual_tokens": length}, back)
    return Variant("prompt_tuning", {"num_virtual_tokens": length, "prompt_tuning_init": KINDS[kind]}, back)


def name_of(kind: str, length: int, in_place: bool = False) -> str:
    return f"{kind}, {length}{IN_PLACE if in_place else ''}"


def variants() -> dict[str, Variant]:
    """Nine with the letters moved, and three of prompt tuning with the letters in place."""
    moved = {name_of(kind, length): variant(kind, length) for kind in KINDS for length in LENGTHS}
    first = next(iter(KINDS))
    return moved | {name_of(first, length, True): variant(first, length, back=length) for length in LENGTHS}


def main(arguments: list[str]) -> int:
    options = parse(arguments, "prompt_study", __doc__)
    equal = {method: rate_of(method) for method in ("prompt_tuning", "p_tuning")}
    rows = run_study(variants(), "prompt_study", equal, options)
    return int(any("failed" in row for row in rows))


@cache
def load_study() -> dict[str, Any]:
    """The kept study: "equal" technique → rate, "own" variant → its searched rate, "rows" what was measured."""
    kept: dict[str, Any] = json.loads((RESULTS / "prompt_study.json").read_text(encoding="utf-8"))
    return kept


def word_errors(
    study: dict[str, Any], kind: str, length: int, in_place: bool = False, accent: str = "british"
) -> tuple[float, float] | None:
    """Word error in per cent at the variant's own rate, mean and deviation over the seeds."""
    name = name_of(kind, length, in_place)
    return mean_sd(errors_at(study["rows"], name, study["own"][name], accent))


def draw_study(study: dict[str, Any], before: float) -> Figure:
    """British word error over the number of vectors, each at its own rate; `before`: the untouched base's, in per cent."""
    figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
    lines = [(kind, False, colour, "-") for kind, colour in zip(KINDS, (PINK, ORANGE, INDIGO), strict=True)]
    for kind, in_place, colour, style in [*lines, (next(iter(KINDS)), True, PINK, "--")]:
        points = [(length, errors) for length in LENGTHS if (errors := word_errors(study, kind, length, in_place))]
        axis.errorbar(
            [length for length, _ in points],
            [errors[0] for _, errors in points],
            yerr=[errors[1] for _, errors in points],
            fmt=f"o{style}", color=colour, capsize=2, label=kind + (IN_PLACE if in_place else ""),
        )  # fmt: skip
    axis.axhline(before, color=BEFORE, linestyle=":", label="base, no prompt")
    axis.set_xticks(LENGTHS)
    axis.set_xlabel("vectors in front of the letters")
    axis.set_ylabel("British word error, %")
    axis.grid(True)
    figure.legend(fontsize=8, loc="outside right upper")
    return figure


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
