"""Lesson 8's measurements: the loss by hand, one word's softmax columns, calibration, and a symbol that never occurs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lessons.task.dictionary import pairs, unseen_symbols, vocabulary, words
from lessons.task.pretrain import base_config
from transformer import TrainingConfig, Transformer, collate, label_smoothed_cross_entropy, train

SYMBOLS = ("a", "b", "c")
HIDDEN = torch.tensor([2.0, 5.0]).log()
OUTPUT = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
LOGITS = OUTPUT @ HIDDEN
RIGHT = 1
"""The example by hand: three symbols with logits ln 1, ln 2, ln 5, and b is right."""

SETTINGS = {"plain": (0.0, ()), "smoothed": (0.1, ()), "smoothed, a never": (0.1, (0,))}
"""What is computed by hand: ε, and which symbols never occur."""


def loss_of(logits: Tensor, smoothing: float = 0.0, never: tuple[int, ...] = ()) -> Tensor:
    """The loss of one position with three logits, whose right symbol is b."""
    return label_smoothed_cross_entropy(logits[None, None], torch.tensor([[RIGHT]]), smoothing, pad_id=-1, never=never)


def by_formula() -> dict[str, float]:
    """The three losses with the formula's numbers, as the page has them."""
    return {
        "plain": math.log(4),
        "smoothed": 0.9 * math.log(4) + 0.1 * (math.log(8) + math.log(4) + math.log(1.6)) / 3,
        "smoothed, a never": 0.9 * math.log(3.5) + 0.1 * (math.log(3.5) + math.log(1.4)) / 2,
    }


def gradient(never: tuple[int, ...] = ()) -> list[float]:
    """Of the loss with respect to the three logits."""
    logits = LOGITS.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss_of(logits, never=never), logits)
    return found.tolist()


def losses_over_lead(smoothing: float, leads: Sequence[float]) -> list[float]:
    """The loss when the right logit leads the two others by so much."""
    return [float(loss_of(torch.tensor([0.0, lead, 0.0]), smoothing)) for lead in leads]


@dataclass(frozen=True)
class Choices:
    """A word, what was said, and before each symbol of it and before its end the probability of every token."""

    word: str
    said: list[str]
    table: Tensor  # (said + 1, vocab)
    steps: list[float]  # the probability of what was said


def names_of_tokens() -> dict[int, str]:
    tokens = vocabulary()
    return {token: symbol for symbol, token in tokens.symbol_ids.items()} | {tokens.eos_id: "end"}


@torch.no_grad()
def choices(base: nn.Module, word: str, pronunciation: str) -> Choices:
    """The base reads the word and, step by step, this pronunciation; each row is one softmax."""
    tokens = vocabulary()
    ids = tokens.encode_pronunciation(pronunciation)
    batch = collate([(tokens.encode_word(word), ids)], tokens.pad_id, tokens.bos_id)
    table = base(batch.source, batch.inputs)[0].softmax(dim=-1)
    names = names_of_tokens()
    return Choices(word, [names[token] for token in ids], table, table[range(len(ids)), ids].tolist())


def most_likely(found: Choices, place: int, count: int = 2) -> list[tuple[str, float]]:
    """The likeliest symbols at this place, and their probabilities in per cent."""
    best = found.table[place].topk(count)
    names = names_of_tokens()
    return [
        (names.get(token, "?"), 100 * p) for token, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


@torch.no_grad()
def guesses(base: nn.Module, accent: str, count: int) -> tuple[Tensor, Tensor]:
    """The logits before every real symbol of held-out words (symbols, vocab), and the right symbols."""
    tokens = vocabulary()
    batch = collate(pairs(accent, words(accent, "development", count)), tokens.pad_id, tokens.bos_id)
    real = batch.labels != tokens.pad_id
    return base(batch.source, batch.inputs)[real], batch.labels[real]


@dataclass(frozen=True)
class Calibration:
    """For each bin that is not nearly empty: how sure the model was and how often right; and how far apart on average."""

    sure: list[float]
    right: list[float]
    gap: float  # in points, over all symbols
    share: float  # of right ones, in per cent
    mean_sure: float  # in per cent


def calibration(logits: Tensor, labels: Tensor, bins: int = 10, fewest: int = 5) -> Calibration:
    """The best guesses sorted by their probability into bins of equal width; a bin with fewer than `fewest` is left out."""
    sure, best = logits.softmax(-1).max(-1)
    right = (best == labels).float()
    place = (sure * bins).long().clamp(max=bins - 1)
    chosen = [place == index for index in range(bins) if (place == index).sum() >= fewest]
    said, was = [float(sure[each].mean()) for each in chosen], [float(right[each].mean()) for each in chosen]
    sizes = [float(each.float().mean()) for each in chosen]
    gap = sum(size * abs(a - b) for size, a, b in zip(sizes, said, was, strict=True))
    return Calibration(said, was, 100 * gap, 100 * float(right.mean()), 100 * float(sure.mean()))


def best_temperature(logits: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """The temperature with the smallest loss on the first half; the gap on the other half without it, and with it."""
    half = len(labels) // 2
    tried = [0.6 + 0.1 * index for index in range(30)]
    losses = [float(nn.functional.cross_entropy(logits[:half] / t, labels[:half])) for t in tried]
    best = tried[losses.index(min(losses))]
    return best, calibration(logits[half:], labels[half:]).gap, calibration(logits[half:] / best, labels[half:]).gap


def unseen_over_training(left_out: bool, steps: int) -> dict[int, float]:
    """Step → mean probability of ɒ, in a small model that learns American with or without `never`."""
    tokens, (unseen,) = vocabulary(), unseen_symbols("american")
    examples = pairs("american", words("american", "train", 3000))
    watched = collate(examples[:40], tokens.pad_id, tokens.bos_id)
    real = watched.labels != tokens.pad_id
    torch.manual_seed(0)
    shape = replace(base_config(), d_model=64, d_ff=128, num_encoder_layers=1, num_decoder_layers=1, dropout=0.0)
    model, seen = Transformer(shape), {}

    @torch.no_grad()
    def watch(step: int, loss: float) -> None:
        if step % 10 == 0 or step == 1:
            seen[step] = float(model(watched.source, watched.inputs)[real].softmax(-1)[:, unseen].mean())

    never = (unseen,) if left_out else ()
    settings = TrainingConfig(steps=steps, learning_rate=2e-3, warmup=20, max_tokens=800, never=never)
    train(model, examples, settings, on_step=watch)
    return seen
