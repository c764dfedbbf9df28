"""What lesson 21 says of kept results: prompts in every layer on the small base, and on sentences that people rated."""

from statistics import mean
from typing import Any

from lessons.compare.kept import kept_report
from lessons.compare.study_rows import RESULTS
from lessons.experiments.prompt_tuning import way
from lessons.sentiment.prompt_study import DOMAIN, PROMPTS, VIRTUAL_TOKENS, load_prompt_study
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from transformer.learning.formats import read_json

COMMAND = "python -m lessons.sentiment.prompt_study"


@kept_claim
def prompts_on_a_small_model() -> Values:
    """British word error on a base of 1.4 million parameters, with prompts in front and with prompts in every layer."""
    base = kept_report()["base"]
    values: Values = {
        name: 100 * kept_mean(name, "british", "word_error") for name in (*PROMPTS, "prefix_tuning", "lora")
    }
    values["before"] = 100 * base["british"]["word_error"]
    values["parameters"] = kept_rows("full")[0]["trainable_parameters"] / 1e6
    values["kilobytes"] = kept_rows("p_tuning_v2")[0]["adapter_bytes"] / 1e3
    values["prompt_kilobytes"] = kept_rows("prompt_tuning")[0]["adapter_bytes"] / 1e3
    claim(values["p_tuning_v2"] < values["p_tuning"] - 20, "far ahead of P-Tuning on a small model", **values)
    claim(values["p_tuning_v2"] < values["prompt_tuning"] - 20, "far ahead of prompt tuning", **values)
    claim(values["lora"] < values["p_tuning_v2"] - 5, "LoRA is ahead of all of them", **values)
    claim(abs(values["prefix_tuning"] - values["p_tuning_v2"]) < 1.5, "with the network level", **values)
    return values


def sentiment_rows() -> dict[str, dict[str, Any]]:
    """Technique → its row of `python -m lessons sentiment`, trained on movies."""
    return {row["method"]: row for row in read_json(RESULTS / "sentiment.json")["rows"]}


@kept_claim
def prefixes_understand() -> Values:
    """F1 on held-out movie sentences: the head alone, prefixes in every layer, full fine-tuning."""
    rows = sentiment_rows()
    values: Values = {name: rows[name]["tested"][DOMAIN]["f1"] for name in ("head", "prefix_tuning", "lora", "full")}
    values["gain"] = 100 * (values["prefix_tuning"] - values["head"]) / (values["full"] - values["head"])
    values["millions"] = rows["full"]["trainable_parameters"] / 1e6
    values["sentences"] = rows["head"]["test_sentences"]
    claim(
        values["head"] + 0.02 < values["prefix_tuning"] < values["full"], "between the head and all weights", **values
    )
    return values


def study_f1() -> dict[str, list[float]]:
    """Technique of the study → its F1 for each seed, as far as the study was run."""
    if not (RESULTS / "sentiment_prompts.json").is_file():
        return {}
    rows = [row for row in load_prompt_study()["rows"] if "failed" not in row]
    found = {name: [row["f1"] for row in rows if row["name"] == name] for name in PROMPTS}
    return {name: values for name, values in found.items() if values}


@kept_claim
def in_front_or_in_every_layer() -> Values:
    """The study: F1 of each technique, and whether keys and values in every layer are ahead of vectors in front."""
    found = study_f1()
    means: Values = {name: mean(values) for name, values in found.items()}
    spread = max(max(values) - min(values) for values in found.values())
    sentences = sentiment_rows()["prefix_tuning"]["test_sentences"]
    chance = max(spread, 2 * (0.2 * 0.8 / sentences) ** 0.5)  # two standard errors of a share of four fifths
    *fronts, layers = PROMPTS
    verdicts = {f"against_{name}": way(1 - means[name], 1 - means[layers], within=chance) for name in fronts}
    best = max(means[name] for name in fronts)
    claim(abs(best - means[layers]) < 0.05, "easy enough for a prompt in front", best=best, layers=means[layers])
    told = {"chance": chance, "seeds": min(map(len, found.values())), "tokens": VIRTUAL_TOKENS, "command": COMMAND}
    return {**means, **verdicts, **told}
