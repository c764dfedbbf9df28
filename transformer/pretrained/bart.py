"""BART: an encoder-decoder that was trained to restore damaged text.

What differs from the paper: learned positions (the table's first two rows are not used), a norm after the embeddings,
GELU, a bias on the logits; decoding starts with the end-of-sequence token.

Paper     "BART: Denoising Sequence-to-Sequence Pre-training" (1910.13461)
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from transformer.model import Transformer
from transformer.pretrained import encoder_decoder
from transformer.pretrained.parts import Family, Parts, renamed

POSITION_OFFSET = 2


def without_offset(table: Tensor) -> Tensor:
    return table[POSITION_OFFSET:]


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> Transformer:
    return encoder_decoder.build(values, changes, norm_embeddings=True)


def parts(model: Transformer) -> Parts:
    norms = [("source_norm", "encoder.layernorm_embedding"), ("target_norm", "decoder.layernorm_embedding")]
    return encoder_decoder.parts(model, without_offset, None) | renamed(norms)


FAMILY = Family(
    architectures={"BartForConditionalGeneration": "model.", "BartModel": ""},
    build=build,
    parts=parts,
    canonical=encoder_decoder.canonical,
)
