"""What users get wrong."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from transformer import (
    AddNorm,
    DecoderOnly,
    EncoderOnly,
    FeedForward,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    generate,
    label_smoothed_cross_entropy,
)

FIELDS: dict[str, Any] = {
    "vocab_size": 17,
    "d_model": 12,
    "num_heads": 3,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "d_ff": 20,
    "dropout": 0.0,
    "max_length": 8,
}
MODEL = Transformer(TransformerConfig(**FIELDS)).eval()
IDS = torch.tensor([[5, 8, 2], [7, 2, 0]])
X = torch.randn(2, 3, 12)


def config(**changes: object) -> TransformerConfig:
    return TransformerConfig(**{**FIELDS, **changes})


def attend(mask: Tensor) -> Tensor:
    return MultiHeadAttention(12, 3)(X, X, X, mask)


def ids(shape: tuple[int, ...], token: int = 5) -> Tensor:
    return torch.full(shape, token)


ALONE = {"num_encoder_layers": 0, "norm": "pre"}
ENCODER = {"num_decoder_layers": 0, "num_segments": 2}

MISTAKES: dict[str, Callable[[], object]] = {
    # token ids
    "source id too large": lambda: MODEL(ids((2, 3), 17), IDS),
    "source id negative": lambda: MODEL(ids((2, 3), -1), IDS),
    "target id too large": lambda: MODEL(IDS, ids((2, 3), 40)),
    "encode id too large": lambda: MODEL.encode(ids((2, 3), 17)),
    "generate id too large": lambda: generate(MODEL, ids((2, 3), 17), 4),
    "decode id too large": lambda: MODEL.decode(ids((2, 1), 17), *MODEL.encode(IDS), MODEL.new_cache(4)),
    "empty batch": lambda: MODEL(ids((0, 3)), ids((0, 3))),
    "empty source": lambda: MODEL(ids((2, 0)), IDS),
    "empty target": lambda: MODEL(IDS, ids((2, 0))),
    "generate from nothing": lambda: generate(MODEL, ids((0, 3)), 4),
    "one sentence without a batch": lambda: MODEL(IDS[0], IDS),
    "source too long": lambda: MODEL(ids((2, 9)), IDS),
    "target too long": lambda: MODEL(IDS, ids((2, 9))),
    "too many new tokens": lambda: generate(MODEL, IDS, 9),
    "ids of floats": lambda: MODEL(IDS.float(), IDS),
    "ids of booleans": lambda: MODEL(IDS, IDS > 0),
    "label too large": lambda: label_smoothed_cross_entropy(torch.zeros(1, 2, 5), ids((1, 2), 5)),
    "labels of another shape": lambda: label_smoothed_cross_entropy(torch.zeros(1, 2, 5), ids((1, 3), 4)),
    # models without one half
    "decoder-only id too large": lambda: DecoderOnly(config(**ALONE))(ids((2, 3), 17)),
    "encoder-only id too large": lambda: EncoderOnly(config(**ENCODER))(ids((2, 3), 17)),
    "segment too large": lambda: EncoderOnly(config(**ENCODER))(IDS, ids((2, 3), 2)),
    # masks
    "mask of floats": lambda: attend(torch.ones(3, 3)),
    "mask of integers": lambda: attend(torch.ones(3, 3, dtype=torch.long)),
    "mask of another shape": lambda: attend(torch.ones(3, 4, dtype=torch.bool)),
    "mask without the heads' axis": lambda: attend(torch.ones(2, 3, 3, dtype=torch.bool)),
    # sizes and kinds
    "heads do not divide": lambda: config(num_heads=5),
    "segments of an encoder-decoder": lambda: Transformer(config(num_segments=2)),
    "heads do not divide in attention": lambda: MultiHeadAttention(12, 5),
    "size as text": lambda: config(d_model="12"),
    "size as a fraction": lambda: config(d_ff=20.5),
    "size as True": lambda: config(num_heads=True),
    "unknown norm": lambda: config(norm="middle"),
    "unknown positions": lambda: config(positions="relative"),
    "unknown norm kind": lambda: config(norm_kind="batch"),
    "qkv_bias as text": lambda: config(qkv_bias="yes"),
    "gated as a number": lambda: config(gated=1),
    "unknown activation": lambda: config(activation="swish"),
    "unknown attention": lambda: config(attention="flash"),
    "tie as text": lambda: config(tie_embeddings="yes"),
    "scale as a number": lambda: config(scale_embeddings=1),
    "norm_embeddings as a number": lambda: config(norm_embeddings=0),
    "output_bias as text": lambda: config(output_bias="no"),
    "eps as text": lambda: config(layer_norm_eps="1e-5"),
    "feed forward with an unknown activation": lambda: FeedForward(12, 20, "swish"),
    "unknown order in add and norm": lambda: AddNorm(12, norm="middle"),
    # probabilities and numbers
    "dropout above one": lambda: config(dropout=1.2),
    "dropout as text": lambda: config(dropout="0.1"),
    "attention dropout of one": lambda: MultiHeadAttention(12, 3, dropout=1.0),
    "smoothing above one": lambda: label_smoothed_cross_entropy(torch.zeros(1, 2, 5), ids((1, 2), 4), 1.1),
    "no new tokens": lambda: generate(MODEL, IDS, 0),
    "no beams": lambda: generate(MODEL, IDS, 4, num_beams=0),
    "beams that sample": lambda: generate(MODEL, IDS, 4, num_beams=2, do_sample=True),
    "temperature zero": lambda: generate(MODEL, IDS, 4, do_sample=True, temperature=0.0),
    "top_k zero": lambda: generate(MODEL, IDS, 4, do_sample=True, top_k=0),
    "top_p zero": lambda: generate(MODEL, IDS, 4, do_sample=True, top_p=0.0),
    "top_p above one": lambda: generate(MODEL, IDS, 4, do_sample=True, top_p=1.5),
}
