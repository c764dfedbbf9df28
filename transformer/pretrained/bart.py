"""BART: an encoder-decoder that was trained to restore damaged text.

What differs from the paper: learned positions (the table's first two rows are not used), a norm after the embeddings,
GELU, a bias on the logits; decoding starts with the end-of-sequence token.

Paper     "BART: Denoising Sequence-to-Sequence Pre-training" (arXiv 1910.13461)
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from transformer.model import Transformer
from transformer.pretrained import encoder_decoder
from transformer.pretrained.family import Family
from transformer.pretrained.origins import Origins, renamed

POSITION_OFFSET = 2


def without_offset(table: Tensor) -> Tensor:
    """BART counts positions from 2, and its table has two rows more: (2 + max_length, d_model) → (max_length, d_model)."""
    return table[POSITION_OFFSET:]


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Transformer:
    """The model of a config.json; raises ValueError as `encoder_decoder.build` does."""
    return encoder_decoder.build(values, changes, norm_embeddings=True)


def origins(model: Transformer) -> Origins:
    """The origins that BART shares with Marian, and its norms after the embeddings."""
    norms = [("source_norm", "encoder.layernorm_embedding"), ("target_norm", "decoder.layernorm_embedding")]
    return encoder_decoder.origins(model, without_offset) | renamed(norms)


FAMILY = Family(
    architectures={"BartForConditionalGeneration": "model.", "BartModel": ""},
    build=build,
    origins=origins,
    canonical=encoder_decoder.canonical,
)
