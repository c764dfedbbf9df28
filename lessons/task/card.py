"""The model card of the base: what it was made from, how, and how often it is wrong on words that it never saw."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from lessons.task.dictionary import load, unseen_symbols, vocabulary, words
from lessons.task.scoring import evaluate, moved
from transformer import TrainingConfig, Transformer
from transformer.learning.formats import write_json

BASELINE = "7.4 % of the symbols and 35.0 % of the American words wrong"
"""Phonetisaurus 0.3.0 on the same split, one run of `python -m tests.benchmarks.phonetisaurus`."""

PLACES = (5, 10, 15)
"""How far the letters are moved, as a prompt in front of them would do, to see what that alone costs."""


def write_card(
    model: Transformer, folder: Path, config: TrainingConfig, seconds: float, threads: int, loss: float
) -> dict[str, Any]:
    """Evaluates the base and writes card.json and README.md beside it."""
    with Console().status("evaluating the base on held-out words"):
        held_out = {
            accent: asdict(evaluate(model, words(accent, "test"), accent)) for accent in ("american", "british")
        }
        american_moved = {}
        for places in PLACES:
            with moved(model, places):
                american_moved[str(places)] = asdict(evaluate(model, words("american", "test"), "american"))
    card = {
        "command": "python -m lessons pretrain",
        "data": f"american: {len(words('american', 'train')):,} training words, all their pronunciations",
        "split": "by sha1 of the word: 4 % test, 2 % development, the rest training",
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training": asdict(config),
        "seconds": round(seconds),
        "threads": threads,
        "last_loss": loss,
        "held_out": held_out,
        "american_moved": american_moved,
    }
    write_json(folder / "card.json", card)
    (folder / "README.md").write_text(as_text(card, model), encoding="utf-8")
    return card


def as_text(card: dict[str, Any], model: Transformer) -> str:
    shape, training = model.config, card["training"]
    measured = card["held_out"] | {
        f"american, letters moved by {places} places": error for places, error in card["american_moved"].items()
    }
    rows = "\n".join(
        f"| {what} | {error['words']:,} | {100 * error['phoneme_error']:.1f} % | {100 * error['word_error']:.1f} % |"
        for what, error in measured.items()
    )
    unseen = ", ".join(symbol for symbol, token in vocabulary().symbol_ids.items() if token in unseen_symbols())
    return f"""# The base

A Transformer that reads the letters of an English word and says its American pronunciation in IPA symbols.

- **Made by** `{card["command"]}`: seed {training["seed"]}, {training["steps"]:,} steps, {card["seconds"]:,} s with
  {card["threads"]} threads, {training["precision"]}.
- **Data** {card["data"]} (of {len(load("american")):,} in the dictionary; `lessons/data/README.md` has origin and
  licence). **Split** {card["split"]}. Inflections of one stem fall on both sides.
- **Shape** {card["parameters"]:,} parameters: {shape.num_encoder_layers} + {shape.num_decoder_layers} layers,
  d_model {shape.d_model}, {shape.num_heads} heads, d_ff {shape.d_ff}, {shape.norm}-norm, dropout {shape.dropout}.
- **Training** AdamW, peak learning rate {training["learning_rate"]}, {training["schedule"]} schedule with
  {training["warmup"]} warm-up steps, batches of {training["max_tokens"]:,} target tokens, clipped at
  {training["clip_norm"]}, weight decay {training["weight_decay"]}. A word begins at position 0 in half of the rows, in the
  others at 1 to {training["first_position"]}. Never said, and left out of the softmax: {unseen}, which American English does not have.

| held-out words | words | phoneme error | word error |
|---|---|---|---|
{rows}

Greedy decoding; stress marks count as symbols; any listed pronunciation is right. British is the accent that the base
was not trained on: this is where fine-tuning begins. The joint-sequence model phonetisaurus 0.3.0 on the same split:
{BASELINE} (`python -m tests.benchmarks.phonetisaurus`).{card.get("note", "")}

**Use** to learn from, not in a product: it knows single lower-case English words and nothing else.
"""
