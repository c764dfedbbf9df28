"""Lesson 30: what it says of its kept results, asserted."""

from collections.abc import Mapping
from statistics import mean

from lessons.chat.comparing.kept import kept as compared
from lessons.chat.comparing.kept import mean_accuracy
from lessons.chat.comparing.report import by_method, lost, seeds_of, tasks_of
from lessons.chat.training.spelling import KINDS
from lessons.experiments.instruction_tuning import HELD_OUT, PACKED, PARTS, STEPS, kept
from lessons.teaching import Values, about, claim, kept_claim


@kept_claim
def kept_shares() -> Values:
    """Of tokens and of the loss before any step: the share of each part; and the two gradients."""
    found = kept()
    tokens, each = dict(found["tokens"]), found["states"]["before"]["nats"]
    tokens["template"] -= tokens["end"]  # nothing stands before a conversation's first token
    summed = {kind: count * each[kind] for kind, count in tokens.items()}
    shares = {"tokens": with_end(tokens), "loss": with_end(summed)}
    values = {f"{kind}_{name}": share for name, parts in shares.items() for kind, share in parts.items()}
    values |= {
        f"{kind}_nats": with_end(summed, whole=False)[kind] / with_end(tokens, whole=False)[kind] for kind in PARTS
    }
    values |= {
        "tokens": shares["tokens"]["answer"],
        "loss": shares["loss"]["answer"],
        "cosine": found["pulls"]["cosine"],
    }
    values |= {"times": found["pulls"]["prompt"] / found["pulls"]["answer"], "conversations": tokens["end"]}
    claim(
        values["loss"] < values["tokens"], "the answer's share of the loss is below its share of the tokens", **values
    )
    claim(values["question_nats"] > 5 * values["answer_nats"], "the question is what is hard", **values)
    claim(
        values["times"] > 5 and abs(values["cosine"]) < 0.1,
        "the prompt's gradient is longer, at right angles",
        **values,
    )
    return values | {"shares": shares}


@kept_claim
def kept_packing() -> Values:
    """The loss of the same texts alone, packed, and packed in sight of one another; and the places that rows take."""
    found = {name.replace(" ", "_"): value for name, value in kept()["packing"].items()}
    claim(about(found["packed"], found["alone"], within=1e-5), "packed texts have the loss of texts alone", **found)
    claim(found["in_sight"] < 0.8 * found["alone"], "in sight of one another the loss looks lower", **found)
    claim(found["packed_places"] < found["padded_places"], "packed rows have fewer places", **found)
    return found | {"lower": 1 - found["in_sight"] / found["alone"], "width": PACKED}


@kept_claim
def kept_runs() -> Values:
    """After eight steps on each choice of tokens: nats of the parts, of an English text, and what is exactly right."""
    states = kept()["states"]
    values: Values = {"steps": STEPS, "items": HELD_OUT}
    for run, state in states.items():
        name = run.replace(" ", "_")
        values |= {f"{name}_{kind}": loss for kind, loss in state["nats"].items()}
        values |= {f"{name}_text": state["text"], f"{name}_says": state["says"]}
        values[f"{name}_exact"] = sum(state["exact"].values()) / len(state["exact"])
    values |= states["answer"]["exact"]
    claim(values["answer_answer"] < 0.6 * values["whole_text_answer"], "the answer falls more where it alone is learnt")
    claim(values["whole_text_template"] < 0.5 * values["before_template"], "on the whole text the template is learnt")
    claim(values["whole_text_question"] < values["before_question"] - 0.5, "and the question")
    claim(values["answer_exact"] > 3 * values["whole_text_exact"], "more is exactly right")
    claim(about(values["no_end_answer"], values["answer_answer"]), "without the end the answers are as good")
    claim(values["no_end_end"] > 10 * values["answer_end"], "the end is not learnt")
    texts = [values[f"{name.replace(' ', '_')}_text"] for name in states]
    claim(max(texts) - min(texts) < 0.02, "nothing is forgotten")
    claim(values["unchanged"] > values["seen"] > values["never"], "the form comes first")
    return values


@kept_claim
def kept_techniques() -> Values:
    """Every technique on the spelling: what was right before and after, and what the model's own answers cost more; means."""
    report = compared()
    base, found = report["base"]["spelling"], by_method(report, "spelling")
    right = {method: mean_accuracy(rows) for method, rows in found.items()}
    nats = {method: mean(lost(rows, base, "chat_nats")) for method, rows in found.items()}
    rates = {
        task: {method: rows[0]["learning_rate"] for method, rows in by_method(report, task).items()}
        for task in tasks_of(report)
    }
    values: Values = {kind: base["scores"][kind]["exact"] for kind in KINDS}
    values |= {"count": len(found), "steps": report["run"]["steps"], "seeds": seeds_of(report)}
    values |= {"first": next(iter(found)), "last": list(found)[-1], "dearest": max(nats, key=nats.__getitem__)}
    values |= {"lora_right": right["lora"], "lora_nats": nats["lora"], "full_nats": nats["full"]}
    values |= {f"{place}_right": right[values[place]] for place in ("first", "last")}
    values |= {"dearest_nats": nats[values["dearest"]]}
    values |= {f"lora_{kind}": mean(row["scores"][kind]["exact"] for row in found["lora"]) for kind in KINDS}
    values |= {f"rate_{task}": rates[task]["lora"] for task in rates}
    claim(
        values["lora_seen"] > values["lora_never"] > 0.4, "LoRA rewrites words that it was never shown, fewer of them"
    )
    claim(values["lora_right"] > 0.9 * values["first_right"], "LoRA is not far from the best")
    claim(values["last_right"] < 0.5 * values["first_right"], "the last is far behind")
    claim(min(nats.values()) > 0, "every technique makes the model's own answers dearer")
    claim(rates["spelling"]["lora"] > rates["spelling"]["full"], "LoRA's rate is higher than full fine-tuning's")
    claim(values["rate_spelling"] > values["rate_sentiment"], "one rate does not suit both tasks", **values)
    return values


def with_end(counts: Mapping[str, float], whole: bool = True) -> dict[str, float]:
    """By part, the end with its answer; as shares of the whole or as they are."""
    total = sum(counts.values()) if whole else 1
    return {kind: (counts[kind] + (counts["end"] if kind == "answer" else 0)) / total for kind in PARTS}
