"""Lesson 7's measurements: what a changed input reaches, what padding changes, and a model without its causal mask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from torch import Tensor

from lessons.task.attention_map import LetterAttention
from lessons.task.dictionary import pairs, vocabulary, words
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate, predict
from transformer import (
    Batch,
    TrainingConfig,
    Transformer,
    causal_mask,
    collate,
    scaled_dot_product_attention,
    train,
)

QUERY = torch.ones(3, 1)
EXPONENTIALS = torch.tensor([[1.0], [3.0], [4.0]])
"""e^s of each key: with the query 1 and d_head = 1, the keys are their logarithms."""
KEY = EXPONENTIALS.log()
VALUE = torch.tensor([[4.0], [8.0], [100.0]])


def by_hand() -> tuple[Tensor, Tensor]:
    """Output (3, 1) and weights (3, 3) of the example, with the causal mask."""
    output, weights = scaled_dot_product_attention(QUERY, KEY, VALUE, causal_mask(3))
    return output, weights


def batch_of(some: Sequence[str]) -> Batch:
    """American words as one batch, padded on the right."""
    return collate(pairs("american", list(some)), vocabulary().pad_id, vocabulary().bos_id)


@dataclass(frozen=True)
class Reach:
    """What moved when one input was changed: a name and the largest change for each place."""

    names: list[str]
    moved: list[float]
    place: int


@torch.no_grad()
def reach(base: Transformer, word: str = "physics", place: int = 4) -> tuple[Reach, Reach]:
    """One input is changed at this place: of the decoder (the logits move), and of the encoder (the memory moves)."""
    tokens = vocabulary()
    source = torch.tensor([tokens.encode_word(word)])
    said = predict(base, [word])[word]
    inputs = torch.tensor([[tokens.bos_id, *tokens.encode_pronunciation(said)[:-1]]])
    changed, other = inputs.clone(), source.clone()
    changed[0, place] = tokens.symbol_ids["m"]
    other[0, place] = tokens.letter_ids["z"]
    logits = (base(source, inputs) - base(source, changed)).abs().amax(dim=-1)[0]
    memory = (base.encode(source)[0] - base.encode(other)[0]).abs().amax(dim=-1)[0]
    return Reach(["begin", *said], logits.tolist(), place), Reach([*word, "end"], memory.tolist(), place)


@torch.no_grad()
def padding_differences(
    base: Transformer, word: str = "cat", longer: str = "internationalization"
) -> tuple[float, float]:
    """How far a word's logits are from those it has alone, beside a longer word: with the padding mask, and without."""
    together, alone = batch_of([word, longer]), batch_of([word])
    wanted = base(alone.source, alone.inputs)[0]
    right = base(together.source, together.inputs)[0, : len(wanted)]
    with patch("transformer.token_model.padding_mask", lambda ids, pad_id: torch.ones_like(ids).bool()[:, None, None]):
        wrong = base(together.source, together.inputs)[0, : len(wanted)]
    return float((right - wanted).abs().max()), float((wrong - wanted).abs().max())


def most_looked(found: LetterAttention) -> list[str]:
    """For each sound the letter that most of its attention lies on."""
    return [found.letters[int(place)] for place in found.weights.argmax(dim=-1)]


def least_looked(found: LetterAttention) -> tuple[str, float]:
    """The letter that the sounds look at least, and its share of their attention in per cent."""
    shares = found.weights.mean(dim=0)[:-1]
    least = int(shares.argmin())
    return found.letters[least], 100 * float(shares[least])


def see_all(length: int, past: int = 0, device: torch.device | None = None) -> Tensor:
    """A causal mask that is none: everybody may look at everything."""
    return torch.ones(length, past + length, dtype=torch.bool, device=device)


@dataclass(frozen=True)
class Trained:
    """A small model's losses; how much is right while it reads the answer, and its phoneme error alone, in per cent."""

    losses: list[float]
    reading: float
    alone: float


MASKS: dict[str, Callable[..., Tensor]] = {"causal mask": causal_mask, "leaked mask": see_all}


def trained_with(mask: str, steps: int) -> Trained:
    """The same small model, words and seed each time; only the mask that the decoder trains with differs."""
    held_out = words("american", "development", 100)
    batch = batch_of(held_out)
    torch.manual_seed(0)
    shape = replace(base_config(), d_model=64, num_encoder_layers=2, num_decoder_layers=2, d_ff=256, dropout=0.0)
    model = Transformer(shape)
    settings = TrainingConfig(steps=steps, learning_rate=3e-3, warmup=20, max_tokens=1200)
    with patch("transformer.decoder.causal_mask", MASKS[mask]):
        losses = train(model, pairs("american", words("american", "train", 4000)), settings)
        with torch.no_grad():
            guess = model(batch.source, batch.inputs).argmax(dim=-1)
    real = batch.labels != vocabulary().pad_id
    reading = float((guess == batch.labels)[real].float().mean())
    return Trained(losses, 100 * reading, 100 * evaluate(model, held_out, "american").phoneme_error)
