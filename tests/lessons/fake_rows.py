"""Rows as lessons/compare/row.py writes them, without training: made-up errors that differ from technique to technique."""

from typing import Any

from lessons.task.dictionary import load, words
from lessons.task.techniques import technique_names

METHODS = technique_names()
WORDS = 12


def error(word_error: float) -> dict[str, float]:
    return {"phoneme_error": word_error / 4, "word_error": word_error}


def base_row() -> dict[str, Any]:
    chosen = words("british", "test", WORDS)
    said = {word: load("american").get(word, ("?",))[0] for word in chosen}
    return {"method": "base", "seed": 0, "american": error(0.25), "british": error(0.875), "said": said}


def row(method: str, place: int, seed: int = 0) -> dict[str, Any]:
    chosen = words("british", "test", WORDS)
    said = {word: load("british")[word][0] if index > place % 5 else "?" for index, word in enumerate(chosen)}
    trained = 640 * (place + 1) ** 2 + 128
    return {
        "method": method,
        "seed": seed,
        "trainable_parameters": trained,
        "trainable_percent": trained / 14_000,
        "trained_rows": 0 if method in ("full", "scratch") else 128,
        "adapter_bytes": 4 * trained + 900,
        "seconds": 20.0 + place,
        "peak_memory_bytes": 500_000_000,
        "learning_rate": 3e-3,
        "loss_curve": [(step + 1, 2.0 / (step + place + 1) ** 0.5) for step in range(60)],
        "british": error(0.4 + 0.02 * place + 0.01 * seed),
        "american": error(0.85 - 0.02 * place),
        "american_disabled": None if method == "scratch" else error(0.25),
        "said": said,
    }


def rows(methods: tuple[str, ...] = tuple(METHODS), seeds: int = 1) -> list[dict[str, Any]]:
    tuned = [row(method, place, seed) for seed in range(seeds) for place, method in enumerate(methods)]
    return [base_row(), *tuned]


def run(seeds: int = 1) -> dict[str, Any]:
    return {"methods": METHODS, "seeds": seeds, "steps": 130, "train_words": 1000, "test_words": WORDS, "quick": False}
