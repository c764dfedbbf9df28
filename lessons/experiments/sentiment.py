"""Lesson 28's measurements: the kept runs of `python -m lessons sentiment`."""

import json
from typing import Any

import torch

from lessons.compare.study_rows import RESULTS
from lessons.sentiment.examples import EXAMPLES, IN_CHINESE, IN_ENGLISH
from lessons.sentiment.rows import HEAD
from lessons.teaching import Values, claim, highest, kept_claim, kept_mean
from peft import RECIPES

TOKENS = ("film", "inspiring", ".", "(padding)")
STATES = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [-1.0, 1.0], [9.0, 9.0]]])
REAL = torch.tensor([[True, True, True, False]])
DIRECTION, RATING = torch.tensor([0.5, 0.25]), 2
"""The example by hand: three tokens and a padding, a head of two numbers, and what people said on average."""

TRAINED_ON, ALONE, DEEP = "movies", HEAD, "p_tuning_v2"
ASKED = ("LoRA", "P-Tuning v2")
Row = dict[str, Any]


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def kept_rows() -> dict[str, Row]:
    """Technique → its row on all movie sentences; P-Tuning v2 has a run of its own."""
    return {row["method"]: row for name in ("sentiment", f"sentiment-{DEEP}") for row in kept(name)["rows"]}


def f1(row: Row, domain: str = TRAINED_ON) -> float:
    return 100 * float(row["tested"][domain]["f1"])


def by_amount() -> dict[str, dict[int, float]]:
    """Technique → number of movie sentences → F1 on new ones. The last number is all, from the main run."""
    curves: dict[str, dict[int, float]] = {}
    for row in kept("sentiment-amounts")["rows"]:
        curves.setdefault(row["method"], {})[row["trained_sentences"]] = f1(row)
    for method, curve in curves.items():
        row = kept_rows()[method]
        curve[row["trained_sentences"]] = f1(row)
    return {method: dict(sorted(curve.items())) for method, curve in curves.items()}


def answers() -> dict[str, list[float]]:
    """Who was trained → the score of each of EXAMPLES."""
    lora = max(
        (row for row in kept("sentiment-amounts")["rows"] if row["method"] == "lora"),
        key=lambda row: row["trained_sentences"],
    )
    return dict(zip(ASKED, (lora["examples"], kept_rows()[DEEP]["examples"]), strict=True))


def asked_table() -> list[list[str]]:
    """Every example, what is meant, and the scores, the lines of a table."""
    scores = answers()
    lines = [["about a", "sentence", "meant", *scores]]
    for place, example in enumerate(EXAMPLES):
        shown = [f"{found[place]:+.2f}" for found in scores.values()]
        lines.append([example.field, example.text, "good" if example.meant > 0 else "bad", *shown])
    return lines


@kept_claim
def beside_the_head() -> Values:
    """F1 on new movie sentences of the head alone and of every technique, and what was published."""
    rows, run = kept_rows(), kept("sentiment")
    values: Values = {name: f1(row) for name, row in rows.items()}
    values |= {
        "people": 100 * run["people"][TRAINED_ON]["f1"],
        "published": 100 * run["published"]["best trained on movies"][TRAINED_ON],
        "head_trains": rows[ALONE]["trainable_parameters"],
        "full_trains": rows["full"]["trainable_parameters"],
        "bitfit_trains": rows["bitfit"]["trainable_parameters"],
        "sentences": rows[ALONE]["trained_sentences"],
        "steps": run["run"]["steps"],
        "tested": rows[ALONE]["tested"][TRAINED_ON]["sentences"],
    }
    claim(all(f1(row) > values["published"] for row in rows.values()), "all are above what was published")
    claim(all(f1(rows[name]) > f1(rows[ALONE]) + 2 for name in rows if name in RECIPES), "each adds to the head")
    claim(highest({name: f1(row) for name, row in rows.items()}) == "full", "full fine-tuning is best on movies")
    claim(values["full"] - values["lora"] < 2, "LoRA is within two points", full=values["full"], lora=values["lora"])
    return values


@kept_claim
def deep_prompts() -> Values:
    """P-Tuning v2 on a task of understanding, beside prefix tuning and LoRA."""
    rows = kept_rows()
    values: Values = {name: f1(rows[name]) for name in (ALONE, DEEP, "prefix_tuning", "lora")}
    values |= {f"{name}_trains": rows[name]["trainable_parameters"] for name in (DEEP, "lora")}
    claim(values[DEEP] > values[ALONE], "deep prompts add to the head", **values)
    claim(abs(values["lora"] - values[DEEP]) < 2, "deep prompts are level with LoRA", **values)
    sounds = {
        name: 100 * kept_mean(name, "british", "word_error")
        for name in (DEEP, "prefix_tuning", "lora", "full", "bitfit")
    }
    claim(sounds[DEEP] > max(sounds["lora"], sounds["full"]) + 2, "on sounds they are behind LoRA and full", **sounds)
    claim(abs(sounds[DEEP] - sounds["prefix_tuning"]) < 1, "... level with prefix tuning", **sounds)
    claim(sounds[DEEP] < sounds["bitfit"] - 1, "... and ahead of BitFit", **sounds)
    return values


@kept_claim
def more_sentences() -> Values:
    """What few and many rated sentences bring to the head alone and to LoRA."""
    curves = by_amount()
    head, lora = curves[ALONE], curves["lora"]
    few, many, every = list(head)
    values: Values = {"few": few, "many": many, "every": every}
    for name, curve in (("head", head), ("lora", lora)):
        values |= {f"{name}_few": curve[few], f"{name}_many": curve[many], f"{name}_every": curve[every]}
    claim(abs(head[every] - head[many]) < 1, "the head gains nothing from the last sentences", **values)
    claim(lora[every] > lora[many] + 1, "LoRA still gains", **values)
    claim(head[many] > head[few] + 5, "from few to many sentences both gain", **values)
    return values


@kept_claim
def four_teachers() -> Values:
    """LoRA trained on each domain: F1 in every domain, {taught: {tested: F1}}, and who is the best teacher of tweets."""
    table: dict[str, dict[str, float]] = {}
    for name in ("sentiment-tweets", "sentiment", "sentiment-amazon", "sentiment-news"):
        row = next(row for row in kept(name)["rows"] if row["method"] == "lora")
        table[row["domain"]] = {domain: f1(row, domain) for domain in row["tested"]}
    own = {domain: table[domain][domain] for domain in table}
    for domain in table:
        claim(own[domain] == max(row[domain] for row in table.values()), f"{domain} is its own best teacher", **own)
    others = {taught: table[taught]["tweets"] for taught in table if taught != "tweets"}
    values: Values = {
        "table": table, "own": own["tweets"], "movies": others["movies"], "best": highest(others), "best_f1": max(others.values()),
    }  # fmt: skip
    claim(min(others, key=others.__getitem__) == "movies", "movies are the poorest teacher for tweets", **others)
    return values


@kept_claim
def a_word_that_means_the_opposite() -> Values:
    """What the models say of the hospital's sentences with "negative" and "positive"."""
    places = {example.text: place for place, example in enumerate(EXAMPLES)}
    lora = answers()[ASKED[0]]
    values: Values = {
        "film": lora[places[IN_ENGLISH]],
        "not_film": lora[places["This film is not inspiring."]],
        "negative": lora[places["The test for cancer came back negative."]],
        "positive": lora[places["The test for cancer came back positive."]],
        "losses": lora[places["The company's losses fell by half."]],
        "chinese": lora[places[IN_CHINESE]],
    }
    claim(
        values["film"] > 0.3 > 0 > values["not_film"], "the film's sentence and its opposite are told apart", **values
    )
    claim(values["negative"] < values["positive"], "good news is scored below bad news", **values)
    claim(values["losses"] < 0, "losses that fall count as bad", losses=values["losses"])
    return values
