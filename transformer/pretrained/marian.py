"""Marian: machine translation with the paper's own architecture (opus-mt and others).

What differs from the paper: SiLU, a bias on the logits, and sinusoids that stand in halves.

    PE[t] = [sin(t ω_0), sin(t ω_1), ..., cos(t ω_0), cos(t ω_1), ...]          ω_i = 10000^{-2i/d_model}
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from transformer.embedding import sinusoidal_positional_encoding
from transformer.model import Transformer
from transformer.pretrained import encoder_decoder
from transformer.pretrained.family import Family
from transformer.pretrained.origins import Origins, as_it_is


def sinusoids_in_halves(length: int, d_model: int) -> Float[Tensor, "length d_model"]:
    """The paper's waves, all sines before all cosines."""
    waves = sinusoidal_positional_encoding(length, d_model)
    return torch.cat([waves[:, 0::2], waves[:, 1::2]], dim=1)


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Transformer:
    """The model of a config.json; raises ValueError as `encoder_decoder.build` does."""
    model = encoder_decoder.build(values, changes, norm_embeddings=False)
    for positions in (model.source_positions, model.target_positions):
        positions.requires_grad_(False)  # a formula, kept in a table: not trained
    # Decoding starts with the padding, and transformers' embedding learns nothing from a padding that it looks up.
    model.source_embedding.padding_idx = model.target_embedding.padding_idx = model.config.pad_id
    return model


def origins(model: Transformer) -> Origins:
    """The origins that Marian shares with BART. Files that leave the sinusoids out get them from the formula."""
    config = model.config
    table = partial(sinusoids_in_halves, config.max_length, config.d_model)
    return encoder_decoder.origins(model, as_it_is, table)


FAMILY = Family(
    architectures={"MarianMTModel": "model."},
    build=build,
    origins=origins,
    canonical=encoder_decoder.canonical,
)
