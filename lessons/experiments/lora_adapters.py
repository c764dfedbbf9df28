"""Lesson 13, several adapters on one base: a second one is trained, they are switched, mixed in a batch, and added."""

import tempfile
from collections.abc import Sequence

import torch
from torch import Tensor

from lessons.task.dictionary import vocabulary
from lessons.task.finetuning import fine_tune
from lessons.task.scoring import predict, score, source_batch
from peft import PeftModel
from peft.frame.core import BASE

NAMES = (BASE, "british", "cmu")
ACCENTS = ("british", "cmu")


def learn_cmu(model: PeftModel, steps: int) -> None:
    """Trains a second adapter, of American without stress marks, and loads it beside the first."""
    trained, _ = fine_tune("lora", steps=steps, accent="cmu")
    with tempfile.TemporaryDirectory() as folder:
        trained.save_pretrained(folder)
        model.load_adapter(folder, "cmu")


def errors_by_adapter(model: PeftModel, words: Sequence[str]) -> dict[str, dict[str, float]]:
    """Adapter → accent → phoneme error in per cent. To switch copies no weight."""
    said = {}
    with model.disable_adapter():
        said["base"] = predict(model, words)
    for name in ACCENTS:
        model.set_adapter(name)
        said[name] = predict(model, words)
    return {
        name: {accent: 100 * score(words_said, accent).phoneme_error for accent in ACCENTS}
        for name, words_said in said.items()
    }


def one_batch(model: PeftModel, words: Sequence[str]) -> dict[str, list[str]]:
    """Each word three times in one batch, each row with its own adapter: word → base, British, cmu."""
    batch = source_batch([word for word in words for _ in NAMES])
    rows = model.generate(batch, 24, adapter_names=list(NAMES) * len(words)).tolist()
    said = [vocabulary().decode_pronunciation(row[1:]) for row in rows]
    return {word: said[3 * place : 3 * place + 3] for place, word in enumerate(words)}


@torch.no_grad()
def mixed_and_alone(model: PeftModel, words: Sequence[str], target: Tensor) -> float:
    """The largest difference of the cmu rows' logits: in the mixed batch, and in a batch of their own."""
    batch = source_batch([word for word in words for _ in NAMES])
    target = target.repeat(len(batch), 1)
    mixed = model(batch, target, adapter_names=list(NAMES) * len(words))
    model.set_adapter("cmu")
    return float((mixed[2::3] - model(batch[2::3], target[2::3])).abs().max())


def errors_of_mixtures(model: PeftModel, shares: Sequence[float], words: Sequence[str]) -> dict[str, list[float]]:
    """w · british + (1 - w) · cmu, for each w, scored in both accents (per cent)."""
    errors: dict[str, list[float]] = {accent: [] for accent in ACCENTS}
    for share in shares:
        name = f"mix{100 * share:.0f}"
        model.add_weighted_adapter(list(ACCENTS), [share, 1 - share], name, "cat")
        model.set_adapter(name)
        said = predict(model, words)
        for accent, found in errors.items():
            found.append(100 * score(said, accent).phoneme_error)
    return errors
