"""What lesson 20 says of kept results: prefixes in the comparison, their files, and a start from real text on a large model."""

from lessons.compare.beside_hf import load_hf
from lessons.compare.kept import kept_report
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows

METHODS = ("prompt_tuning", "prefix_tuning", "p_tuning_v2", "lora", "full")
TASKS = 100


@kept_claim
def prefixes_in_the_comparison() -> Values:
    """British word error with a prompt, a prefix, LoRA; time and memory beside full fine-tuning."""
    values: Values = {name: 100 * kept_mean(name, "british", "word_error") for name in METHODS}
    values["before"] = 100 * kept_report()["base"]["british"]["word_error"]
    for name in ("prefix_tuning", "full"):
        values[f"{name}_seconds"] = kept_mean(name, "seconds")
        values[f"{name}_memory"] = kept_mean(name, "peak_memory_bytes") / 1e6
    claim(
        values["lora"] < values["prefix_tuning"] < values["prompt_tuning"] - 20, "between LoRA and a prompt", **values
    )
    claim(abs(values["prefix_tuning"] - values["p_tuning_v2"]) < 2, "with and without the network: alike", **values)
    claim(0.8 < values["prefix_tuning_seconds"] / values["full_seconds"] < 1, "a little faster", **values)
    claim(values["prefix_tuning_memory"] < values["full_memory"], "less memory", **values)
    return values


@kept_claim
def a_file_for_each_task() -> Values:
    """What is stored for a task with a prefix and with full fine-tuning, and what is trained and dropped on the way."""
    prefix, full = kept_rows("prefix_tuning")[0], kept_rows("full")[0]
    one, whole = prefix["adapter_bytes"] / 1e3, full["adapter_bytes"] / 1e3
    values = {
        "prefix": one,
        "full": whole,
        "times": whole / one,
        "tasks": TASKS,
        "all_prefixes": (whole + TASKS * one) / 1e3,
        "all_full": TASKS * whole / 1e3,
        "trained": prefix["trainable_parameters"],
        "prompt_pairs": kept_rows("p_tuning_v2")[0]["trainable_parameters"],
    }
    claim(values["times"] > 50, "more than fifty times smaller", **values)
    claim(values["trained"] > 3 * values["prompt_pairs"], "the network is most of what is trained", **values)
    return values


@kept_claim
def real_text_on_a_large_model() -> Values:
    """Hugging Face PEFT's own benchmark: prefix tuning from real text beside its other starts. Accuracies in per cent."""
    rows = [row for row in load_hf()["rows"] if row["method"] == "prefixtuning"]
    found = {row["experiment"]: 100 * row["accuracy"] for row in rows}
    real = max(value for name, value in found.items() if "init_prefix" in name)
    others = [value for name, value in found.items() if "init_prefix" not in name]
    claim(others and real > max(others), "the start from real text is the best one", real=real, other=max(others))
    return {"real": real, "other": max(others), "model": load_hf()["model"], "runs": len(found)}
