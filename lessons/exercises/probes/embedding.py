"""Probes of lesson 2."""

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.models import random_model
from transformer.embedding import sinusoidal_positional_encoding as encoding


def sinusoidal_positional_encoding(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    length, half = draw.size(2, 60), draw.size(1, 12)
    return {
        "the encoding": encoding(length, 2 * half),
        "one with an odd d_model": encoding(length, 2 * half + 1),
        "one in float64": encoding(length, 2 * half, torch.float64),
    }


class Doubled(nn.Module):
    """Something at the source's way in that changes the vectors and the mask."""

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return 2.0 * x, torch.cat([mask, ~mask], dim=-1)


class Thrice(nn.Module):
    """A dropout that nobody overlooks."""

    def forward(self, x: Tensor) -> Tensor:
        return 3.0 * x


def embed_source(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    pad_id = draw.size(3, 9)
    model = random_model(draw, pad_id=pad_id)
    ids = draw.ids(0, model.config.vocab_size, 3, draw.size(2, 9))
    ids[0, :2] = torch.tensor([0, pad_id])
    model.dropout = Thrice()
    x, mask = model.embed_source(ids)
    model.source_input = Doubled()
    changed, longer = model.embed_source(ids)
    return {"the vectors": x, "the mask": mask, "behind the source's way in": changed, "its mask": longer}
