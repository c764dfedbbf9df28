"""Lesson 2's measurements: what positions do to products, what the letters' vectors hold, and the base with its letters moved."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lessons.task.base import model_card
from lessons.task.dictionary import vocabulary
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, kept_claim
from transformer import Transformer, sinusoidal_positional_encoding

ROW = torch.tensor([0.5, 0.0, -0.5, 1.0])
"""The example by hand: the row of token 1, which stands at position 1."""
VOWELS, CONSONANTS = "aeiouy", "bcdfghjklmnpqrstvwxz"
LETTERS = VOWELS + CONSONANTS


def by_hand() -> dict[str, Tensor]:
    """Row, scaled row, position and their sum."""
    scaled, position = len(ROW) ** 0.5 * ROW, sinusoidal_positional_encoding(2, len(ROW))[1]
    return {"row": ROW, "scaled": scaled, "position": position, "sum": scaled + position}


def products_depend_on_distance(d_model: int, positions: int = 60, steps: int = 7) -> Values:
    """In float64: how far products at one distance differ, and how far a rotation is from the position some steps on."""
    table = sinusoidal_positional_encoding(positions, d_model, torch.float64)
    frequency = 1 / 10000 ** (torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    products = table @ table.T
    spread = max(float(products.diagonal(k).max() - products.diagonal(k).min()) for k in range(positions))
    sine, cosine = table[:, 0::2], table[:, 1::2]
    turned = sine * torch.cos(steps * frequency) + cosine * torch.sin(steps * frequency)
    return {
        "spread": spread,
        "formula": float(torch.cos(3 * frequency).sum()),
        "early": float(products[10, 13]),
        "late": float(products[40, 43]),
        "off": float((turned[:-steps] - sine[steps:]).abs().max()),
        "steps": steps,
    }


def letter_rows(model: Transformer) -> Float[Tensor, "26 d_model"]:
    """Each letter's row of E, vowels first."""
    return model.source_embedding.weight.detach()[[vocabulary().letter_ids[letter] for letter in LETTERS]]


def letter_cosines(model: Transformer) -> Float[Tensor, "26 26"]:
    """Between the letters' rows, after the mean row is taken away; a letter with itself counts 0."""
    rows = letter_rows(model)
    centred = nn.functional.normalize(rows - rows.mean(dim=0), dim=1)
    return (centred @ centred.T).fill_diagonal_(0)


def within_and_across(cosines: Float[Tensor, "26 26"]) -> tuple[float, float]:
    """The mean cosine of two vowels, and of a vowel and a consonant."""
    count = len(VOWELS)
    within = cosines[:count, :count].sum() / (count * (count - 1))
    return float(within), float(cosines[:count, count:].mean())


def nearest_letters(cosines: Float[Tensor, "26 26"], letter: str, count: int = 3) -> str:
    values, places = cosines[LETTERS.index(letter)].topk(count)
    return ", ".join(f"{LETTERS[place]} ({value:.2f})" for value, place in zip(values, places, strict=True))


@contextmanager
def letters_moved(model: Transformer, start: int | None) -> Iterator[None]:
    """The source's first letter stands at this position instead of 0; with None all positions are zero."""

    def hook(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        table = module.get_buffer("table")
        return torch.zeros_like(output) if start is None else table[start : start + output.shape[0]]

    handle = model.source_positions.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def apart(model: Transformer) -> float:
    """The largest difference between what the encoder makes of t, a, b in "tab" and in "bat"."""
    (tab, bat), _ = model.encode(torch.tensor([vocabulary().encode_word(word) for word in ("tab", "bat")]))
    return float((tab[:3] - bat[[2, 1, 0]]).abs().max())


def errors_by_start(
    model: Transformer, starts: Sequence[int | None], words: Sequence[str]
) -> Mapping[int | None, float]:
    """Where the first letter stands (None: no positions at all) → phoneme error in per cent."""
    errors = {}
    for start in starts:
        with letters_moved(model, start):
            errors[start] = 100 * evaluate(model, words, "american").phoneme_error
    return errors


@kept_claim
def moved_in_the_card() -> Values:
    """The base's word error with its letters moved, from its model card."""
    card = model_card()
    moved = [100 * score["word_error"] for score in card["american_moved"].values()]
    values = {
        "first_position": card["training"]["first_position"],
        "words": card["held_out"]["american"]["words"],
        "unmoved": 100 * card["held_out"]["american"]["word_error"],
        "lowest": min(moved),
        "highest": max(moved),
    }
    claim(values["highest"] < 1.1 * values["unmoved"], "letters that are moved cost next to nothing", **values)
    return values
