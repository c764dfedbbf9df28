"""Lesson 6's measurements: what hidden numbers react to, how the vector of a c changes, what a sub-layer is worth."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lessons.task.scoring import evaluate, source_batch
from transformer import FeedForward, Transformer

X = torch.tensor([1.0, 2.0])
W1, B1 = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]), torch.tensor([0.0, -1.0, 0.0])
W2, B2 = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]), torch.tensor([0.5, 0.0])

PATTERNS: dict[str, Callable[[str, int], bool]] = {
    "a last y": lambda word, i: word[i] == "y" and i == len(word) - 1,
    "c before a, o, u, ...": lambda word, i: word[i] == "c" and word[i + 1 : i + 2] not in ("e", "i", "y"),
    "h after c, p, s, t": lambda word, i: word[i] == "h" and i > 0 and word[i - 1] in "cpst",
    "a last e": lambda word, i: word[i] == "e" and i == len(word) - 1,
    "c before e, i, y": lambda word, i: word[i] == "c" and word[i + 1 : i + 2] in ("e", "i", "y"),
    "the g of ng": lambda word, i: word[i] == "g" and word[i - 1 : i] == "n",
    "the t of th": lambda word, i: word[i : i + 2] == "th",
    "second of a pair": lambda word, i: i > 0 and word[i] == word[i - 1],
}
"""Spelling patterns: does letter `i` of this word follow it?"""


def small_feed_forward() -> FeedForward:
    """The example by hand: two features in, three hidden, two out."""
    small = FeedForward(d_model=2, d_ff=3)
    with torch.no_grad():
        for layer, weight, bias in ((small.fc1, W1, B1), (small.fc2, W2, B2)):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    return small


@dataclass(frozen=True)
class Hidden:
    """Every (word, place), and for each layer what fc1 says there after ReLU: (places, d_ff)."""

    places: list[tuple[str, int]]
    layers: list[Float[Tensor, "places d_ff"]]


@torch.no_grad()
def hidden_numbers(model: Transformer, words: Sequence[str]) -> Hidden:
    """A hook on each fc1 keeps its output while the encoder reads the words."""
    kept: list[Tensor] = []
    layers: Iterable[Any] = model.encoder.layers
    handles = [
        layer.feed_forward.fc1.register_forward_hook(lambda module, inputs, output: kept.append(output.relu()))
        for layer in layers
    ]
    try:
        model.encode(source_batch(words))
    finally:
        for handle in handles:
            handle.remove()
    at = [(row, place) for row, word in enumerate(words) for place in range(len(word))]
    rows, columns = torch.tensor(at).T
    return Hidden([(words[row], place) for row, place in at], [matrix[rows, columns] for matrix in kept])


@dataclass(frozen=True)
class Match:
    """The hidden number that goes best with a pattern on some words, and how it does on others."""

    layer: int
    number: int
    seen: float
    other: float
    examples: str


def best_match(pattern: Callable[[str, int], bool], seen: Hidden, other: Hidden) -> Match:
    """Chosen by correlation on the seen words alone; `examples` are the other words where it is largest."""
    holds, holds_other = (torch.tensor([float(pattern(*at)) for at in found.places]) for found in (seen, other))
    table = torch.stack([correlation(matrix, holds) for matrix in seen.layers])
    layer, number = divmod(int(table.argmax()), table.shape[1])
    fires = other.layers[layer][:, number]
    largest = [other.places[index] for index in fires.topk(4).indices.tolist()]
    examples = "  ".join(word[:at] + word[at].upper() + word[at + 1 :] for word, at in largest)
    again = float(correlation(fires[:, None], holds_other))
    return Match(layer, number, float(table.max()), again, examples)


def correlation(matrix: Float[Tensor, "places numbers"], wanted: Float[Tensor, " places"]) -> Tensor:
    """Of each column with `wanted`."""
    matrix, wanted = matrix - matrix.mean(dim=0), wanted - wanted.mean()
    return wanted @ matrix / (matrix.norm(dim=0) * wanted.norm() + 1e-9)


def tracks(model: Transformer, words: Sequence[str], matches: Sequence[Match]) -> dict[str, Tensor]:
    """Word → (match, letter): how far each of these hidden numbers is above 0, of its largest over all the words."""
    parts = {}
    for word in words:
        layers = hidden_numbers(model, [word]).layers
        parts[word] = torch.stack([layers[match.layer][:, match.number] for match in matches])
    largest = torch.stack([part.max(dim=1).values for part in parts.values()]).max(dim=0).values.clamp(min=1e-6)
    return {word: part / largest[:, None] for word, part in parts.items()}


@torch.no_grad()
def states_by_layer(model: Transformer, words: Sequence[str]) -> list[Tensor]:
    """The encoder's vectors (batch, source, d_model): embedding and position, then after each layer."""
    x, mask = model.embed_source(source_batch(words))
    states = [model.place_source(x)]
    for layer in model.encoder.layers:
        states.append(layer(states[-1], mask))
    return states


@dataclass(frozen=True)
class LettersC:
    """The vectors of every c (but that of ch), step by step, and whether it is soft by the rule: before e, i, y."""

    states: list[Float[Tensor, "spots d_model"]]
    soft: Bool[Tensor, " spots"]


def letters_c(model: Transformer, words: Sequence[str]) -> LettersC:
    spots = [(row, i) for row, word in enumerate(words) for i, letter in enumerate(word) if letter == "c"]
    spots = [(row, i) for row, i in spots if words[row][i + 1 : i + 2] != "h"]
    soft = torch.tensor([words[row][i + 1 : i + 2] in ("e", "i", "y") for row, i in spots])
    rows, columns = torch.tensor(spots).T
    return LettersC([states[rows, columns] for states in states_by_layer(model, words)], soft)


def nearest_mean(seen: LettersC, new: LettersC) -> list[float]:
    """Step by step: of how many new c's the nearer of the seen soft and hard c's mean vectors is right, in per cent."""
    right = []
    for before, after in zip(seen.states, new.states, strict=True):
        hard, soft = before[~seen.soft].mean(dim=0), before[seen.soft].mean(dim=0)
        says_soft = (after - soft).norm(dim=1) < (after - hard).norm(dim=1)
        right.append(100 * float((says_soft == new.soft).float().mean()))
    return right


def silent(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    """A hook: the sub-layer says 0, so that the residual passes alone."""
    return torch.zeros_like(output)


@contextmanager
def silenced(*modules: nn.Module) -> Iterator[None]:
    handles = [module.register_forward_hook(silent) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def errors_without(model: Transformer, words: Sequence[str]) -> Mapping[str, list[float]]:
    """Sub-layer → the phoneme error in per cent with it silent, for each layer of the encoder."""
    errors: dict[str, list[float]] = {"self_attention": [], "feed_forward": []}
    layers: Iterable[Any] = model.encoder.layers
    for layer in layers:
        for name, values in errors.items():
            with silenced(getattr(layer, name)):
                values.append(100 * evaluate(model, words, "american").phoneme_error)
    return errors
