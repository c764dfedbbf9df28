"""Training on all British words, four times as large and for many more steps than in the comparison."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lessons.compare.report import by_method, comparison
from lessons.compare.row import error
from lessons.task.base import base_hash, load_base
from lessons.task.dictionary import pairs, words
from lessons.task.finetuning import adapted, adapter_config, in_short, prepared_base, training_config
from lessons.task.pretrain import train_visibly
from lessons.task.scoring import evaluate, predict
from lessons.task.techniques import SCRATCH
from peft import PeftModel, recipe
from peft.frame.saving import TENSORS
from transformer import TrainingConfig
from transformer.learning.formats import read_tensors, write_tensors

LARGER: dict[str, dict[str, Any]] = {
    "lora": {"r": 32, "lora_alpha": 64},
    "adapter_houlsby": {"bottleneck": 64},
    "adapter_pfeiffer": {"bottleneck": 128},
    "adapter_parallel": {"bottleneck": 128},
}
"""Four times the recipe's size: seventy times the words have more to say. What is not here stays as it is."""

STEPS, SEARCH_STEPS, MAX_TOKENS, CHECKPOINT_EVERY = 4000, 300, 3000, 100
DEVELOPMENT_WORDS = 400
HALVED = 1_000_000
"""An adapter file of more bytes than this is stored in 16 bits."""


def best_other(report: Mapping[str, Any]) -> str:
    """The technique of the kept run with the least British word error that is no kin of LoRA and smaller than the base."""
    found = comparison(report)
    others = [
        method
        for method in by_method(report)
        if method not in ("full", SCRATCH) and recipe(method).family not in ("LoRA family", "4-bit base")
    ]
    return min(others, key=lambda method: found.word_error[method, "british"][0])


def long_config(rate: float, seed: int, steps: int) -> TrainingConfig:
    return replace(training_config(steps, rate, seed), max_tokens=MAX_TOKENS, checkpoint_every=CHECKPOINT_EVERY)


def setting_of(method: str, steps: int) -> dict[str, Any]:
    """All that decides what a short search finds, but for the rate."""
    return {
        "steps": steps,
        "seeds": 1,
        "max_tokens": MAX_TOKENS,
        "training_words": len(words("british", "train")),
        "development_words": DEVELOPMENT_WORDS,
        "base": base_hash(),
        "technique": in_short(adapter_config(method, **LARGER.get(method, {}))),
    }


def train_on_all(
    method: str, rate: float, seed: int, steps: int, checkpoint: Path, quiet: bool = False
) -> tuple[PeftModel, float]:
    """The trained model and its seconds. With `quiet` nothing is shown."""
    model = adapted(method, seed, **LARGER.get(method, {}))
    config = long_config(rate, seed, steps)
    examples = pairs("british", words("british", "train"), all_pronunciations=True)
    groups = recipe(method).groups(model, rate, config.weight_decay)
    _, seconds = train_visibly(model, examples, config, checkpoint, quiet, groups=groups)
    return model, seconds


def development_error(method: str, rate: float, seed: int, steps: int, folder: Path) -> float:
    """The phoneme error on development words after a short training."""
    model, _ = train_on_all(method, rate, seed, steps, folder / f"search-{rate:g}-{steps}.safetensors", quiet=True)
    return evaluate(model, words("british", "development", DEVELOPMENT_WORDS), "british").phoneme_error


def store(model: PeftModel, folder: Path) -> str:
    """Saves the adapter, in 16 bits if it is large, and says in which type."""
    model.save_pretrained(folder)
    file = folder / TENSORS
    if file.stat().st_size <= HALVED:
        return "float32"
    tensors, about = read_tensors(file)
    write_tensors(file, {name: tensor.half() for name, tensor in tensors.items()}, about)
    return "float16"


def card_of(method: str, folder: Path, config: TrainingConfig) -> dict[str, Any]:
    """How it was made, and its errors on all held-out words, of the adapter as it is stored."""
    model = PeftModel.from_pretrained(prepared_base(method, load_base()), folder)
    test = {accent: words(accent, "test") for accent in ("british", "american")}
    errors = {accent: error(predict(model, test[accent]), accent) for accent in test}
    with model.disable_adapter():
        disabled = error(predict(model, test["american"]), "american")
    return {
        "method": method,
        "changes": LARGER.get(method, {}),
        "base": base_hash(),
        "training_words": len(words("british", "train")),
        "test_words": len(test["british"]),
        "training": asdict(config),
        **errors,
        "american_disabled": disabled,
    }
