"""What a person's judgements change: DPO with LoRA on a file of pairs, measured against the model before.

The reference is the model that the pairs were sampled from: the base, for British with the shipped adapter merged into it. A
fifth of the pairs is held out, and the words of the test are the dictionary's. Few pairs teach little: the report says how much.
"""

import json
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from lessons.drawing.progress import progress_bars
from lessons.language.message import in_language
from lessons.language.words import say
from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.scoring import evaluate, source_batch
from lessons.task.shipped import shipped
from peft import PeftModel, get_peft_model, recipe
from rlhf import DPOConfig, Preferences, collate_preferences, dpo, read_preferences, roll_out, save_policy
from rlhf.dpo import both_log_probs, epoch_steps, reference_of
from rlhf.preferences import Preference
from transformer.learning.formats import write_json

EPOCHS, RATE, BETA, BATCH = 4, 5e-4, 0.1, 32
HELD_OUT_EVERY = 5
LONGEST = 32


def speaker(accent: str) -> Any:
    """A plain model that speaks the accent: the base, or the base with the shipped LoRA adapter merged."""
    base = load_base()
    return base if accent == "american" else PeftModel.from_pretrained(base, shipped("lora")[accent]).merge_and_unload()


def read_judged(path: Path) -> tuple[str, list[Preference]]:
    """The accent and the pairs of a file. Raises ValueError, with the line's number, for a line that cannot be learnt from."""
    pairs, accents = read_preferences(path), []
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, (line, pair) in enumerate(zip(lines, pairs, strict=True), start=1):
        if (highest := max(map(max, pair))) >= len(vocabulary()):
            raise ValueError(f"{path}, line {number} holds the token {highest}; the vocabulary has {len(vocabulary())}")
        if pair[1] == pair[2]:
            raise ValueError(f"{path}, line {number}: both sides are the same; remove the line")
        accents.append(json.loads(line).get("accent"))
    known = {"american", *shipped("lora")}
    for number, accent in enumerate(accents, start=1):
        if accent not in known or accent != accents[0]:
            raise ValueError(
                f"{path}, line {number} has the accent {accent!r}: a file holds one accent, of {', '.join(sorted(known))}"
            )
    return accents[0], pairs


def train_on(path: Path, test_words: int, seed: int = 0) -> dict[str, Any]:
    """Trains, prints, and keeps `FILE.report.json` and the adapter `FILE.adapter/`; returns the report."""
    accent, pairs = read_judged(path)
    held_out = pairs[::HELD_OUT_EVERY] if len(pairs) >= HELD_OUT_EVERY else []
    taught = [pair for row, pair in enumerate(pairs) if not held_out or row % HELD_OUT_EVERY]
    torch.manual_seed(seed)
    policy = get_peft_model(speaker(accent), recipe("lora").config())
    test = words(accent, "test", test_words)
    report: dict[str, Any] = {"accent": accent, "pairs": len(taught), "held_out_pairs": len(held_out)}
    report["before"] = measured(policy, test, accent, seed)
    config = DPOConfig(epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE, beta=BETA, seed=seed)
    with progress_bars() as progress:
        bar = progress.add_task("DPO", total=epoch_steps(len(taught), BATCH, EPOCHS), loss="")
        report["history"] = dpo(
            policy,
            collate_preferences(taught, vocabulary().pad_id),
            config,
            on_step=lambda step, record: progress.update(bar, completed=step, loss=f"loss {record['loss']:.3f}"),
        )
    report["after"] = measured(policy, test, accent, seed)
    if held_out:
        report["held_out_agreement"] = agreement(policy, collate_preferences(held_out, vocabulary().pad_id))
    save_policy(policy, path.with_suffix(".adapter"))
    write_json(path.with_suffix(".report.json"), report)
    show(report)
    print(in_language(f"wrote {path.with_suffix('.report.json')} and {path.with_suffix('.adapter')}"))
    return report


def measured(policy: PeftModel, test: list[str], accent: str, seed: int) -> dict[str, float]:
    """Errors of greedy decoding on held-out words, and how far sampled pronunciations are from the reference's."""
    score = evaluate(policy, test, accent)
    rollout = roll_out(policy, source_batch(test), LONGEST, generator=torch.Generator().manual_seed(seed))
    return {
        "word_error": score.word_error,
        "phoneme_error": score.phoneme_error,
        "kl": float(rollout.kl),
        "length": float(rollout.length),
    }


@torch.no_grad()
def agreement(policy: PeftModel, pairs: Preferences) -> float:
    """The share of pairs in which the policy has moved towards the side that the person chose."""
    chosen, rejected = both_log_probs(policy, pairs)
    chosen_before, rejected_before = reference_of(policy, pairs, BATCH)
    return float(((chosen - chosen_before) > (rejected - rejected_before)).float().mean())


def show(report: dict[str, Any]) -> None:
    headings = ("held-out words", "word error", "phoneme error", "KL, nats", "length")
    table = Table(*map(say, headings), title=say("What the pairs changed"))
    for name in ("before", "after"):
        row = report[name]
        errors = (f"{100 * row[key]:.1f} %" for key in ("word_error", "phoneme_error"))
        table.add_row(say(name), *errors, f"{row['kl']:.2f}", f"{row['length']:.1f}")
    Console().print(table)
    last = report["history"][-1]
    told = (
        f"{report['pairs']} pairs taught. log-ratio to the reference: chosen {last['chosen_log_ratio']:+.2f}, "
        f"rejected {last['rejected_log_ratio']:+.2f} nats"
    )
    print(in_language(told))
    if "held_out_agreement" in report:
        share, count = report["held_out_agreement"], report["held_out_pairs"]
        print(in_language(f"agrees with {100 * share:.0f} % of the {count} pairs that were held out"))
