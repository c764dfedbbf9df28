"""Lesson 32's comparison beside that of Hugging Face PEFT: where the two orders agree."""

from lessons.compare.beside_hf import agreements, both, gain_of_a_rate, load_hf, rank_agreement
from lessons.compare.kept import kept_report
from lessons.experiments.choosing import british
from lessons.task.finetuning import learning_rates
from lessons.teaching import Values, about, claim, kept_claim, kept_rows


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
