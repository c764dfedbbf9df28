"""Lesson 3's measurements: what the scale is for, on random vectors and on the base; where the base looks."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lessons.task.attention_map import letter_attention
from lessons.task.dictionary import vocabulary
from lessons.task.scoring import evaluate
from transformer import Transformer, record_attention
from transformer.attention import Attend

QUERY = torch.tensor([[1.0, 0, 0, 0]])
KEYS = torch.tensor([[2 * math.log(3), 0, 0, 0], [0, 5, 0, 0]])
VALUES = torch.tensor([[4.0, 0], [0, 8]])
KEYS_EACH = 16
KINDS = ("encoder", "decoder, itself", "decoder, letters")


@dataclass(frozen=True)
class Saturation:
    """For each d: the spread of q · k, and with and without the scale the largest weight and the gradient."""

    sizes: Sequence[int]
    spread: list[float] = field(default_factory=list)
    largest: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})
    gradient: dict[bool, list[float]] = field(default_factory=lambda: {False: [], True: []})


def saturation(sizes: Sequence[int], samples: int) -> Saturation:
    """One random query and 16 random keys at a time, of variance 1 in each place."""
    found = Saturation(sizes)
    for size in sizes:
        query, keys = torch.randn(samples, 1, size), torch.randn(samples, KEYS_EACH, size)
        products = (query @ keys.transpose(1, 2))[:, 0]
        found.spread.append(products.std().item())
        for scaled in (False, True):
            scores = (products / math.sqrt(size) if scaled else products).clone().requires_grad_()
            weights = scores.softmax(dim=-1)
            (gradient,) = torch.autograd.grad(weights[:, 0].sum(), scores)
            found.largest[scaled].append(weights.max(dim=-1).values.mean().item())
            found.gradient[scaled].append(gradient.norm(dim=-1).mean().item())
    return found


@contextmanager
def scores_times(model: Transformer, factor: float) -> Iterator[None]:
    """Every query of the model is multiplied, which multiplies its scores."""

    def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        query, *rest = inputs
        return (factor * query, *rest)

    handles = [module.register_forward_pre_hook(hook) for module in model.modules() if isinstance(module, Attend)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def errors_at(model: Transformer, factors: Sequence[float], words: Sequence[str]) -> dict[float, float]:
    """Factor on all scores → phoneme error in per cent."""
    errors = {}
    for factor in factors:
        with scores_times(model, factor):
            errors[factor] = 100 * evaluate(model, words, "american").phoneme_error
    return errors


def encoder_maps(model: Transformer, word: str) -> dict[tuple[int, int], Tensor]:
    """(layer, head) → who looks where, for each head of the encoder."""
    with torch.no_grad(), record_attention(model) as maps:
        model.encode(torch.tensor([vocabulary().encode_word(word)]))
    return {
        (layer, head): weights
        for layer in range(model.config.num_encoder_layers)
        for head, weights in enumerate(maps[f"encoder.layers.{layer}.self_attention"][0][0])
    }


def weight_on_the_next_letter(model: Transformer, words: Sequence[str]) -> dict[tuple[int, int], float]:
    """(layer, head) → the share of a letter's weight that lies on the next letter, in per cent, over these words."""
    shares: dict[tuple[int, int], float] = {}
    for word in words:
        for place, weights in encoder_maps(model, word).items():
            shares[place] = shares.get(place, 0.0) + 100 * weights.diagonal(1).mean().item() / len(words)
    return shares


@dataclass(frozen=True)
class Looking:
    """For each kind of attention: how many positions each query really looks at, and how many there are."""

    at: dict[str, list[float]]
    available: dict[str, list[float]]

    def mean(self, kind: str) -> float:
        return sum(self.at[kind]) / len(self.at[kind])

    def mean_available(self, kind: str) -> float:
        return sum(self.available[kind]) / len(self.available[kind])


def positions_looked_at(model: Transformer, words: Sequence[str]) -> Looking:
    """e to the entropy of each query's weights, while the model says these words."""
    found = Looking({kind: [] for kind in KINDS}, {kind: [] for kind in KINDS})
    for word in words:
        source, said = torch.tensor([vocabulary().encode_word(word)]), letter_attention(model, word).said
        target = torch.tensor([[vocabulary().bos_id, *vocabulary().encode_pronunciation(said)[:-1]]])
        with torch.no_grad(), record_attention(model) as maps:
            model(source, target)
        for name, recorded in maps.items():
            kind = KINDS[0] if name.startswith("encoder") else KINDS[2] if "cross" in name else KINDS[1]
            weights = recorded[0][0]
            entropy = -(weights * weights.clamp_min(1e-12).log()).sum(dim=-1)
            found.at[kind].extend(entropy.exp().flatten().tolist())
            found.available[kind].extend((weights > 0).sum(dim=-1).flatten().tolist())
    return found
