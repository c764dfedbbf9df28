"""Worlds of other sizes and techniques: the shipped base with each adapter, a small encoder-decoder, a small text model.

The small ones are trained from nothing in a second: they copy words of numbers; an adapter then learns to reverse them.
"""

import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lessons.clinic.variants.variant import Place
from lessons.clinic.world import Example, World, examples, in_front, pronunciation
from peft import PeftConfig, get_peft_model
from transformer import DecoderOnly, Transformer, TransformerConfig

VOCAB, PAD, BOS, EOS = 47, 0, 1, 2
SHAPES: dict[str, dict[str, Any]] = {
    "pairs": {"d_model": 40, "num_heads": 5, "num_encoder_layers": 3, "num_decoder_layers": 1, "d_ff": 56,
              "activation": "gelu", "positions": "learned"},
    "text": {"d_model": 48, "num_heads": 6, "num_kv_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 2, "d_ff": 64,
             "norm": "pre", "norm_kind": "rms", "positions": "rotary", "gated": True, "activation": "silu", "bias": False},
    "stops": {"d_model": 36, "num_heads": 3, "num_encoder_layers": 0, "num_decoder_layers": 4, "d_ff": 44, "norm": "pre",
              "positions": "learned", "pad_id": EOS},
}  # fmt: skip
STEPS, RATE = 150, 3e-3


def base(method: str) -> Place:
    """The shipped base and this technique's adapter."""
    return lambda folder: pronunciation(method)


def small(shape: str, config: PeftConfig) -> Place:
    """A model of one of SHAPES; "stops" fills rows up with its end token."""

    def place(folder: Path) -> World:
        kept = folder / f"{shape}-{zlib.crc32(repr(config).encode()):x}"
        new, old = data(shape)
        made = World(lambda: pretrained(shape), adapting(config), adapting(config), kept, new, old, 0.01)
        if not (kept / "adapter_config.json").exists():
            made.train(made.fresh(), made.batches, 0.01, 20).save_pretrained(kept)
        return made

    return place


def adapting(config: PeftConfig) -> Callable[[Any], Any]:
    return lambda model: get_peft_model(model, config)


def pretrained(shape: str) -> Transformer | DecoderOnly:
    """A new one at every call, with the numbers that were trained once."""
    model = untrained(shape)
    model.load_state_dict(trained_numbers(shape))
    return model.eval()


def untrained(shape: str) -> Transformer | DecoderOnly:
    torch.manual_seed(7)
    config = TransformerConfig(vocab_size=VOCAB, max_length=48, dropout=0.05, **SHAPES[shape])
    return Transformer(config) if config.num_encoder_layers else DecoderOnly(config)


@lru_cache
def trained_numbers(shape: str) -> dict[str, Tensor]:
    """Of a model that copies."""
    model, old = untrained(shape), data(shape)[1]
    world = World(lambda: model, lambda m: m, lambda m: m, Path(), old, old, RATE)
    return world.train(model, old, RATE, STEPS).state_dict()


def data(shape: str) -> tuple[list[Any], list[Any]]:
    """Words of numbers to reverse, and others to copy."""
    numbers = torch.Generator().manual_seed(11)
    rows = [torch.randint(3, VOCAB - 4, (2 + index % 6,), generator=numbers).tolist() for index in range(60)]
    new, old = [(row, [*row[::-1], EOS]) for row in rows[:20]], [(row, [*row, EOS]) for row in rows[20:]]
    if SHAPES[shape]["num_encoder_layers"]:
        return examples(new, PAD, BOS, (8, 12)), examples(old, PAD, BOS, (20, 20))
    pad = SHAPES[shape].get("pad_id", PAD)
    return [text(new[:8], pad), text(new[8:], pad)], [text(old[:20], pad), text(old[20:], pad)]


def text(pairs: Sequence[Any], pad: int) -> Example:
    """Question, answer, end; labels on the answer."""
    return in_front([(source + target, [False] * len(source) + [True] * len(target)) for source, target in pairs], pad)
