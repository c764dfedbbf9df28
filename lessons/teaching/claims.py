"""What a sentence says of its data is asserted where it is written: "rises", "a fifth", "the best".

A lesson that measures asserts beside its sentence:

    claim(scaled > 10 * unscaled, "without the scale the gradient vanishes", scaled=scaled, unscaled=unscaled)

A claim on kept results is a function without arguments in lessons/experiments/, which reads them, asserts, and returns
the values of the sentence; the lesson calls it, and so does a test, without running any lesson:

    @kept_claim
    def lora_beside_full() -> Values:
        values = {"lora": kept_mean("lora", "seconds"), "full": kept_mean("full", "seconds")}
        claim(about(values["lora"] / values["full"], 1, within=0.5), "LoRA takes as long as full", **values)
        return values

    prose("LoRA took {lora:.0f} s, full fine-tuning {full:.0f} s: no less.", **lora_beside_full())
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lessons.teaching.showing import quick

Values = dict[str, Any]


class ClaimError(AssertionError):
    """A sentence that its own data contradict."""


def claim(holds: object, said: str, **numbers: float) -> None:
    """Raises ClaimError with the sentence and its numbers unless it holds. A quick run measures too little to judge."""
    if not holds and not quick():
        found = ", ".join(f"{name} = {number:.4g}" for name, number in numbers.items())
        raise ClaimError(f"the text says {said!r}, the data do not" + (f": {found}" if found else ""))


def kept_claim(function: Callable[[], Values]) -> Callable[[], Values]:
    """Marks a claim that rests on kept results alone: `tests/lessons/test_claims.py` runs it."""
    function.rests_on_kept_results = True  # type: ignore[attr-defined]
    return function


def rises(series: Sequence[float]) -> bool:
    """Each value is above the one before."""
    return all(earlier < later for earlier, later in itertools.pairwise(series))


def falls(series: Sequence[float]) -> bool:
    """Each value is below the one before."""
    return all(earlier > later for earlier, later in itertools.pairwise(series))


def about(value: float, wanted: float, within: float = 0.1) -> bool:
    """`about(share, 1 / 5)`: "a fifth", no more than a tenth of it away."""
    return abs(value - wanted) <= within * abs(wanted)


def lowest(table: Mapping[str, float]) -> str:
    """The name with the lowest value: `claim(lowest(errors) == "lora", ...)`."""
    return min(table, key=table.__getitem__)


def highest(table: Mapping[str, float]) -> str:
    return max(table, key=table.__getitem__)
