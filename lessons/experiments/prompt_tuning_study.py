"""Lesson 18's kept study of prompts: lengths, starts, and letters moved or in place."""

from lessons.compare.prompt_study import IN_PLACE, KINDS, LENGTHS, load_study, name_of, word_errors
from lessons.compare.study_rows import mean_at
from lessons.task.finetuning import learning_rates
from lessons.teaching import Values, claim, kept_claim

VOCABULARY = next(iter(KINDS))
"""The start of which both were measured, letters moved and in place."""


def at_equal_rate(kind: str, length: int, in_place: bool = False) -> float:
    """British word error in per cent at the rate of the saved comparison."""
    study = load_study()
    rate = study["equal"]["p_tuning" if kind == "P-Tuning" else "prompt_tuning"]
    return mean_at(study["rows"], name_of(kind, length, in_place), rate)


def at_own_rate(kind: str, length: int, in_place: bool = False) -> float:
    found = word_errors(load_study(), kind, length, in_place)
    if found is None:
        raise ValueError(
            f"the study has no rows of {name_of(kind, length, in_place)}; python -m lessons.compare.prompt_study"
        )
    return found[0]


def lengths_and_starts() -> list[list[str]]:
    """The lines of a table: each at its own rate and, in brackets, at that of the comparison."""
    lines = {kind: (kind, False) for kind in KINDS} | {f"{VOCABULARY}{IN_PLACE}": (VOCABULARY, True)}
    head = ["", *map(str, LENGTHS)]
    return [
        head,
        *(
            [name, *(f"{at_own_rate(kind, n, place):.1f} ({at_equal_rate(kind, n, place):.1f})" for n in LENGTHS)]
            for name, (kind, place) in lines.items()
        ),
    ]


@kept_claim
def position_or_capacity() -> Values:
    """What a prompt gains when its letters stay in place, and when it has more vectors; the better of two rates of each."""

    def best(length: int, in_place: bool = False) -> float:
        return min(error(VOCABULARY, length, in_place) for error in (at_own_rate, at_equal_rate))

    values: Values = {f"moved_{length}": best(length) for length in LENGTHS}
    values |= {f"place_{length}": best(length, True) for length in LENGTHS}
    gains = [best(length) - best(length, True) for length in LENGTHS]
    spread = max(map(best, LENGTHS)) - min(map(best, LENGTHS))
    claim(max(gains) < 0.5, "letters in place are no better at any length", gain=max(gains), **values)
    claim(spread < 2, "ten times as many vectors hardly help", spread=spread, **values)
    return values


@kept_claim
def rate_of_a_prompt() -> Values:
    """The searched rates of prompt tuning and LoRA; and that one seed's search of the study is a coarse one."""
    rates, study = learning_rates(), load_study()
    own = study["own"][name_of(VOCABULARY, 5)]
    values = {
        "prompt": rates["prompt_tuning"],
        "lora": rates["lora"],
        "times": rates["prompt_tuning"] / rates["lora"],
        "own": own,
        "own_error": at_own_rate(VOCABULARY, 5),
        "equal_error": at_equal_rate(VOCABULARY, 5),
    }
    claim(values["times"] > 10, "a prompt wants a far higher rate than LoRA", **values)
    claim(values["equal_error"] < values["own_error"] - 1, "the study's own rate is the worse one", **values)
    return values
