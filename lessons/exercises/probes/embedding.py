"""Probes of lesson 2."""

from torch import Tensor

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.models import random_model
from transformer.embedding import sinusoidal_positional_encoding as encoding


def sinusoidal_positional_encoding(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    length, d_model = draw.size(2, 60), draw.size(1, 24)
    return {
        "the encoding": encoding(length, d_model).double(),
        "its even sibling": encoding(length, 2 * d_model).double(),
    }


def embed_source(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    model = random_model(draw)
    ids = draw.ids(0, model.config.vocab_size, 3, draw.size(2, 9))
    x, mask = model.embed_source(ids)
    return {"the vectors": x, "the mask": mask}
