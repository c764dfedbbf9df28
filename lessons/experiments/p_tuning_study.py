"""Lesson 19's kept results: P-Tuning beside prompt tuning, by the number of vectors, and what it costs."""

from statistics import mean
from typing import Any

from lessons.compare.kept import kept_report
from lessons.compare.prompt_study import KINDS, LENGTHS, load_study, name_of, word_errors
from lessons.compare.study_rows import errors_at
from lessons.teaching import Values, about, claim, kept_claim, kept_mean, kept_rows, rises


def study_range(kind: str, length: int) -> float:
    """Points of British word error between the best and the worst seed, at the variant's own rate."""
    study, name = load_study(), name_of(kind, length)
    errors = errors_at(study["rows"], name, study["own"][name], "british")
    return max(errors) - min(errors)


def study_errors() -> dict[str, dict[int, float]]:
    """Kind of prompt → number of vectors → British word error in per cent, at its own rate, mean over the seeds."""
    study: dict[str, Any] = load_study()
    return {kind: {p: found[0] for p in LENGTHS if (found := word_errors(study, kind, p))} for kind in KINDS}


def untouched() -> float:
    return 100 * kept_report()["base"]["british"]["word_error"]


@kept_claim
def more_vectors_do_worse() -> Values:
    """The saved study: P-Tuning with 1, 5 and 10 vectors beside prompt tuning, and how far the seeds lie apart."""
    errors, before = study_errors(), untouched()
    values: Values = {"before": before, "seeds": load_study()["setting"]["seeds"]}
    for kind, short in zip(KINDS, ("vocabulary", "random", "encoded"), strict=True):
        values |= {f"{short}_{p}": error for p, error in errors[kind].items()}
        values[f"{short}_range"] = mean(study_range(kind, p) for p in LENGTHS)
    claim(rises([values[f"encoded_{p}"] for p in LENGTHS]), "P-Tuning gets worse with more vectors", **values)
    claim(values["encoded_1"] < before - 1, "one vector helps a little", **values)
    claim(values["encoded_10"] > before, "ten vectors are worse than none", **values)
    best = {p: min(values[f"vocabulary_{p}"], values[f"random_{p}"]) for p in LENGTHS}
    claim(all(values[f"encoded_{p}"] > best[p] for p in LENGTHS), "P-Tuning is ahead at no length", **values)
    ranges = min(values["vocabulary_range"], values["random_range"])
    claim(values["encoded_range"] < ranges / 2, "its seeds lie closer together", **values)
    return values


@kept_claim
def prices_in_the_comparison() -> Values:
    """What P-Tuning trained, kept and took in the saved comparison, beside prompt tuning."""
    values: Values = {}
    for name in ("prompt_tuning", "p_tuning"):
        row = kept_rows(name)[0]
        values |= {f"{name}_trains": row["trainable_parameters"], f"{name}_bytes": row["adapter_bytes"]}
        values[f"{name}_seconds"] = kept_mean(name, "seconds")
        values[name] = 100 * kept_mean(name, "british", "word_error")
    values["times"] = values["p_tuning_trains"] / values["prompt_tuning_trains"]
    claim(about(values["p_tuning_seconds"] / values["prompt_tuning_seconds"], 1, within=0.2), "as long", **values)
    claim(about(values["p_tuning_bytes"] / values["prompt_tuning_bytes"], 1, within=0.05), "as large a file", **values)
    claim(values["p_tuning"] > values["prompt_tuning"], "no better than prompt tuning", **values)
    return values
