"""Small models for probes, with random sizes and random numbers."""

from typing import Any

from lessons.exercises.probes.draw import Draw
from transformer.config import TransformerConfig
from transformer.model import Transformer


def random_config(draw: Draw, **changes: Any) -> TransformerConfig:
    heads = draw.size(2, 3)
    sizes = {
        "vocab_size": draw.size(12, 20),
        "d_model": 2 * heads * draw.size(1, 3),
        "num_heads": heads,
        "num_encoder_layers": draw.size(1, 2),
        "num_decoder_layers": draw.size(1, 2),
        "d_ff": draw.size(5, 12),
        "dropout": 0.0,
        "max_length": 20,
        "norm": ("post", "pre")[draw.size(0, 1)],
        "tie_embeddings": bool(draw.size(0, 1)),
    }
    return TransformerConfig(**{**sizes, **changes})


def random_model(draw: Draw, **changes: Any) -> Transformer:
    model = Transformer(random_config(draw, **changes))
    draw.fill(model)
    return model.eval()
