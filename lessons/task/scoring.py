"""How good is a pronunciation? Phoneme error and word error against the nearest listed pronunciation.

    phoneme error = Σ edits(prediction, nearest) / Σ length(nearest)        word error = wrong words / words

An edit is one symbol inserted, deleted or replaced. Stress marks are symbols, and a diphthong is two. A word is
right when it equals any of its listed pronunciations. The phoneme error can be above 1, when predictions are too long.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from lessons.task.dictionary import load, tokenize, vocabulary
from transformer.decoding.generation import generate
from transformer.learning.batching import pad

# The longest pronunciation of the three dictionaries has 59 symbols and an end.
LONGEST_OUTPUT = 64


@dataclass(frozen=True)
class Score:
    """Both errors as fractions, and over how many words."""

    phoneme_error: float
    word_error: float
    words: int


def edit_distance(a: Sequence[object], b: Sequence[object]) -> int:
    """The least number of insertions, deletions and replacements that make `b` out of `a` (Levenshtein)."""
    distances = list(range(len(b) + 1))
    for row, left in enumerate(a, start=1):
        diagonal, distances[0] = distances[0], row
        for column, right in enumerate(b, start=1):
            replaced = diagonal + (left != right)
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)
    return distances[-1]


def score(predictions: Mapping[str, str], accent: str) -> Score:
    """Compare the predicted pronunciation of each word with the nearest one that the dictionary lists."""
    dictionary = load(accent)
    if not predictions:
        raise ValueError("there are no words to score; give at least one")
    unknown = [word for word in predictions if word not in dictionary]
    if unknown:
        raise ValueError(f"{len(unknown)} words are not in the {accent} dictionary, among them {unknown[:5]}")
    edits, symbols, wrong = 0, 0, 0
    for word, predicted in predictions.items():
        said = tokenize(predicted)
        listed = [tokenize(pronunciation) for pronunciation in dictionary[word]]
        distances = [edit_distance(said, pronunciation) for pronunciation in listed]
        nearest = min(range(len(listed)), key=distances.__getitem__)
        edits += distances[nearest]
        symbols += len(listed[nearest])
        wrong += distances[nearest] > 0
    return Score(edits / symbols, wrong / len(predictions), len(predictions))


def source_batch(words: Sequence[str]) -> Int[Tensor, "batch source"]:
    """The letters of each word, padded behind."""
    tokens = vocabulary()
    return pad([tokens.encode_word(word) for word in words], tokens.pad_id)


@torch.no_grad()
def predict(
    model: nn.Module, words: Iterable[str], batch_size: int = 256, max_new_tokens: int = LONGEST_OUTPUT
) -> dict[str, str]:
    """The model's pronunciation of each word, decoded greedily, in the order of `words`.

    Words of like length share a batch, so that little is padding. An under-trained model can repeat itself for ever:
    a word gets at most twice its letters and eight symbols, whatever else is in its batch.
    """
    words, tokens = list(words), vocabulary()
    device = next(model.parameters()).device
    by_length = sorted(words, key=len)
    was_training = model.training
    model.eval()
    said = {}
    for start in range(0, len(by_length), batch_size):
        batch = by_length[start : start + batch_size]
        caps = [min(2 * len(word) + 8, max_new_tokens) for word in batch]
        source = source_batch(batch).to(device)
        for word, cap, ids in zip(batch, caps, generate(model, source, max(caps)).tolist(), strict=True):
            said[word] = tokens.decode_pronunciation(ids[1 : 1 + cap])
    model.train(was_training)
    return {word: said[word] for word in words}


class RowsInFront(nn.Module):
    """Around the source's way in: rows that nobody may attend to, so that all they do is to move the letters."""

    def __init__(self, base: nn.Module, places: int):
        super().__init__()
        self.base, self.places = base, places

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x, mask = self.base(x, mask)
        return F.pad(x, (0, 0, self.places, 0)), F.pad(mask, (self.places, 0), value=False)


@contextmanager
def moved(model: Any, places: int) -> Iterator[None]:
    """Inside, every source begins at position `places`: as behind a prompt of so many vectors, without their content."""
    base = model.source_input
    model.source_input = RowsInFront(base, places)
    try:
        yield
    finally:
        model.source_input = base


def evaluate(
    model: nn.Module, words: Iterable[str], accent: str, batch_size: int = 256, max_new_tokens: int = LONGEST_OUTPUT
) -> Score:
    """Decode the words greedily and score them in one accent."""
    return score(predict(model, words, batch_size, max_new_tokens), accent)
