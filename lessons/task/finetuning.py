"""Fine-tuning the base to another accent, the same way for every technique.

Same words, same steps, same batches and schedule; only the technique and its learning rate differ. The symbols that
pretraining never saw get rows of their own with every technique.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, unseen_symbols, vocabulary
from lessons.task.machine import bf16_pays
from lessons.task.pretrain import base_config
from lessons.task.techniques import SCRATCH
from peft import PeftModel, get_peft_model, recipe
from quant import Linear4bit
from transformer import TrainingConfig, Transformer, train
from transformer.learning.formats import read_object

STEPS, MAX_TOKENS = 300, 1000
VOWELS = {"letters": "aeiouy", "symbols": "iɪeɛæaɑɒɔoʊuʌəɜᵻ"}
RATES_FILE = Path(__file__).with_name("learning_rates.json")


def adapter_config(method: str, **changes: Any) -> Any:
    """The recipe's config with what the pronunciation task adds: trained rows for unseen symbols, letter types for PILL."""
    if method == "pill":
        changes = {"token_types": letter_types(), **changes}
    if method != "full":  # which trains every row already
        changes = {"trainable_token_indices": unseen_symbols("american"), **changes}
    return recipe(method).config(**changes)


def in_short(config: Any) -> str:
    """A config's class and what differs from its defaults: so a field that is added with a default makes no other setting."""
    defaults = {
        each.name: each.default if each.default_factory is MISSING else each.default_factory()
        for each in fields(config)
    }
    own = {name: getattr(config, name) for name in defaults}
    said = ", ".join(f"{name}={value!r}" for name, value in own.items() if value != defaults[name])
    return f"{type(config).__name__}({said})"


def letter_types() -> list[int]:
    """For each vocabulary id: 1 for a vowel, letter or sound, 0 for everything else."""
    tokens = vocabulary()
    vowels = {tokens.letter_ids[letter] for letter in VOWELS["letters"]}
    vowels |= {tokens.symbol_ids[symbol] for symbol in VOWELS["symbols"]}
    return [int(token in vowels) for token in range(len(tokens))]


def prepared_base(method: str, base: nn.Module) -> nn.Module:
    """The base as the recipe wants it. What is in 4 bits computes in bf16 where the processor has it, else in fp32."""
    model = recipe(method).prepare(base)
    for module in model.modules():
        if isinstance(module, Linear4bit) and not bf16_pays():
            module.compute_dtype = torch.float32
    return model


def adapted(method: str, seed: int = 0, base: nn.Module | None = None, **changes: Any) -> PeftModel:
    """The base, prepared as the recipe wants it, with a fresh adapter of this technique; `changes` are its config's."""
    torch.manual_seed(seed)
    model = prepared_base(method, load_base() if base is None else base)
    return get_peft_model(model, adapter_config(method, **changes))


def training_config(steps: int, learning_rate: float, seed: int) -> TrainingConfig:
    return TrainingConfig(
        steps=steps,
        learning_rate=learning_rate,
        warmup=max(1, steps // 20),
        max_tokens=MAX_TOKENS,
        weight_decay=0.0,
        precision="bf16" if bf16_pays() else "fp32",
        seed=seed,
        checkpoint_every=max(1, steps // 4),
    )


def fine_tune(
    method: str,
    words: Sequence[str] | None = None,
    steps: int = STEPS,
    learning_rate: float | None = None,
    seed: int = 0,
    accent: str = "british",
    checkpoint: str | Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    **changes: Any,
) -> tuple[PeftModel, list[float]]:
    """A fine-tuned model and the loss of every step. The learning rate is the searched one unless it is given.

    `changes`   what of the technique's config differs from the recipe's
    """
    model = adapted(method, seed, **changes)
    config = training_config(steps, learning_rate or rate_of(method), seed)
    examples = pairs(accent, words or fine_tuning_words(accent), all_pronunciations=True)
    groups = recipe(method).groups(model, config.learning_rate, config.weight_decay)
    return model, train(model, examples, config, groups, checkpoint, on_step)


def from_scratch(
    words: Sequence[str] | None = None,
    steps: int = STEPS,
    learning_rate: float | None = None,
    seed: int = 0,
    accent: str = "british",
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[Transformer, list[float]]:
    """The row below all others: the base's architecture, random weights, the same words and steps."""
    torch.manual_seed(seed)
    model = Transformer(base_config())
    config = training_config(steps, learning_rate or rate_of(SCRATCH), seed)
    examples = pairs(accent, words or fine_tuning_words(accent), all_pronunciations=True)
    return model, train(model, examples, config, on_step=on_step)


def rate_of(method: str) -> float:
    """The searched learning rate of a technique. Raises ValueError where there is none yet."""
    rates = learning_rates()
    if method not in rates:
        raise ValueError(f"{method} has no learning rate yet: python -m lessons search --methods {method}")
    return rates[method]


def learning_rates() -> dict[str, float]:
    """The best learning rate of each technique whose search is over; `python -m lessons search` makes the file."""
    return {method: entry["best"] for method, entry in kept_rates().items() if "best" in entry}


def kept_rates() -> dict[str, Any]:
    """Technique → what its search kept: "setting", "tried" and, once it is over, "best"."""
    kept: dict[str, Any] = read_rates(RATES_FILE)["methods"]
    return kept


def read_rates(path: Path) -> dict[str, Any]:
    """What a search has kept. Raises FileNotFoundError or ValueError, naming the file, for what is no such file."""
    kept = read_object(path)
    entries = kept.get("methods")
    if not isinstance(entries, dict) or not all(is_searched(entry) for entry in entries.values()):
        raise ValueError(
            f"{path} is no result of `python -m lessons search`: a method's best rate must be a number above 0"
        )
    return kept


def is_searched(entry: Any) -> bool:
    """A search that is not over has no best rate yet."""
    best = entry.get("best", 1.0) if isinstance(entry, dict) else None
    return isinstance(best, (int, float)) and not isinstance(best, bool) and 0 < best < math.inf
