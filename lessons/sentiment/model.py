"""One number for a sentence: the mean of its vectors, times a learned direction.

    score = w · (1/T) Σ_t h_t + b            L = mean (score - mean rating / 4)²

The target is what people said on average, from -1 to 1; the sign is the class. The head is trained with every technique.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lessons.task.machine import bf16_pays
from transformer import DecoderOnly
from transformer.learning.batching import epoch_batches, pad
from transformer.masks import prompt_mask
from transformer.pooling import mean_pool

HIGHEST_RATING = 4
SCORING_TOKENS = 4096


class SentimentModel(nn.Module):
    """An encoder (a Transformer's, an EncoderOnly, a DecoderOnly, with or without an adapter) and a linear head."""

    def __init__(self, encoder: Any):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.config.d_model, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, source: Int[Tensor, "batch source"]) -> Float[Tensor, " batch"]:
        states, real = vectors(self.encoder, source)
        return self.head(mean_pool(states.to(self.head.weight.dtype), real)).squeeze(-1)


def vectors(
    encoder: Any, source: Int[Tensor, "batch source"]
) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch source"]]:
    """A vector for each token, and whether it is a real one. What an adapter put in front of the words is left out."""
    if is_decoder(encoder):
        return encoder(source), prompt_mask(source, encoder.config.pad_id)
    states, mask = encoder.encode(source)
    length = source.shape[1]
    return states[:, -length:], mask[:, 0, 0, -length:]


def is_decoder(encoder: Any) -> bool:
    return isinstance(getattr(encoder, "base_model", encoder), DecoderOnly)


def as_batch(encoder: Any, rows: Sequence[Sequence[int]]) -> Int[Tensor, "batch source"]:
    """Rows of unequal length as one matrix: padded in front for a decoder, else behind."""
    if not is_decoder(encoder):
        return pad(rows, encoder.config.pad_id)
    return pad([row[::-1] for row in rows], encoder.config.pad_id).flip(1)


@torch.no_grad()
def predict(model: SentimentModel, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """The score of each row, in order."""
    device = model.head.weight.device
    scores = np.zeros(len(rows))
    model.eval()
    for indices in epoch_batches([(row, row) for row in rows], SCORING_TOKENS, seed=0, epoch=0):
        source = as_batch(model.encoder, [rows[index] for index in indices]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16_pays(device)):
            scores[indices] = model(source).float().cpu().numpy()
    return scores
