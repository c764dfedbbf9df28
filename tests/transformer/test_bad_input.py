"""Every mistake gets an error of ours that names the thing, with the numbers, and the way out."""

import traceback
from pathlib import Path

import pytest
import torch

from tests.transformer import small
from tests.transformer.bad_input import MISTAKES

ROOT = Path(__file__).resolve().parents[2]

WANTED = {
    "source id too large": "source holds token ids from 17 to 17; the vocabulary is 0..16",
    "source id negative": "source holds token ids from -1 to -1; the vocabulary is 0..16",
    "target id too large": "target holds token ids from 40 to 40; the vocabulary is 0..16",
    "encode id too large": "source holds token ids from 17 to 17",
    "generate id too large": "source holds token ids from 17 to 17",
    "decode id too large": "target holds token ids from 17 to 17",
    "empty batch": "source must be a non-empty (batch, time) matrix of token ids, not shape (0, 3)",
    "empty source": "source must be a non-empty (batch, time) matrix of token ids, not shape (2, 0)",
    "empty target": "target must be a non-empty (batch, time) matrix of token ids, not shape (2, 0)",
    "generate from nothing": "source must be a non-empty (batch, time) matrix of token ids, not shape (0, 3)",
    "one sentence without a batch": "source must be a non-empty (batch, time) matrix of token ids, not shape (3,)",
    "source too long": "source has 9 tokens; max_length is 8",
    "target too long": "target has 9 tokens; max_length is 8",
    "too many new tokens": "max_new_tokens 9 is more than the model's max_length 8",
    "ids of floats": "TypeError: source must hold integer token ids, not torch.float32",
    "ids of booleans": "TypeError: target must hold integer token ids, not torch.bool",
    "label too large": "target holds ids from 5 to 5; the vocabulary is 0..4",
    "labels of another shape": "logits (1, 2, 5) and target (1, 3) do not belong together",
    "decoder-only id too large": "source holds token ids from 17 to 17",
    "encoder-only id too large": "source holds token ids from 17 to 17",
    "segment too large": "segments are 0..1, not 2 to 2",
    "mask of floats": "TypeError: a mask is boolean with True = may be attended to, not torch.float32; compare first (mask > 0)",
    "mask of integers": "TypeError: a mask is boolean with True = may be attended to, not torch.int64",
    "mask of another shape": "mask of shape (3, 4) does not broadcast to (batch, heads, query, key) = (2, 3, 3, 3)",
    "mask without the heads' axis": "mask of shape (2, 3, 3) does not broadcast",
    "heads do not divide": "d_model 12 is not divisible by num_heads 5",
    "segments of an encoder-decoder": "num_segments 2: segments belong to an encoder-only model",
    "heads do not divide in attention": "d_model 12 is not divisible by num_heads 5",
    "size as text": "d_model must be an integer, not '12'",
    "size as a fraction": "d_ff must be an integer, not 20.5",
    "size as True": "num_heads must be an integer, not True",
    "unknown norm": "norm must be one of post, pre, not 'middle'",
    "unknown positions": "positions must be one of sinusoidal, learned, rotary, not 'relative'",
    "unknown norm kind": "norm_kind must be one of layer, rms, not 'batch'",
    "qkv_bias as text": "qkv_bias must be True or False or None, not 'yes'",
    "gated as a number": "gated must be True or False, not 1",
    "unknown activation": "activation must be one of relu, gelu, gelu_tanh, silu, not 'swish'",
    "unknown attention": "attention must be one of math, fused, not 'flash'",
    "tie as text": "tie_embeddings must be True or False, not 'yes'",
    "scale as a number": "scale_embeddings must be True or False, not 1",
    "norm_embeddings as a number": "norm_embeddings must be True or False, not 0",
    "output_bias as text": "output_bias must be True or False, not 'no'",
    "eps as text": "layer_norm_eps must be a finite number, not '1e-5'",
    "feed forward with an unknown activation": "activation is one of relu, gelu, gelu_tanh, silu, not 'swish'",
    "unknown order in add and norm": "norm is 'post' or 'pre', not 'middle'",
    "dropout above one": "dropout is a probability in [0, 1), not 1.2",
    "dropout as text": "dropout must be a finite number, not '0.1'",
    "attention dropout of one": "dropout is a probability in [0, 1), not 1.0",
    "smoothing above one": "smoothing is a probability in [0, 1), not 1.1",
    "no new tokens": "max_new_tokens must be at least 1, not 0",
    "no beams": "num_beams must be at least 1, not 0",
    "beams that sample": "num_beams 2 and do_sample do not mix: beam search is not random",
    "temperature zero": "temperature must be positive, not 0.0; for temperature 0 leave do_sample False",
    "top_k zero": "top_k must be at least 1, not 0",
    "top_p zero": "top_p is a probability in (0, 1], not 0.0",
    "top_p above one": "top_p is a probability in (0, 1], not 1.5",
}
"""The beginning of each message. It is a ValueError where nothing else is said."""


def test_every_mistake_has_its_message():
    assert WANTED.keys() == MISTAKES.keys()


@pytest.mark.parametrize("mistake", WANTED)
def test_a_mistake_is_refused_with_the_numbers_and_by_our_own_check(mistake):
    wanted = WANTED[mistake] if WANTED[mistake].startswith("TypeError: ") else f"ValueError: {WANTED[mistake]}"

    with pytest.raises(Exception) as raised:
        MISTAKES[mistake]()

    assert f"{type(raised.value).__name__}: {raised.value}".startswith(wanted)
    assert Path(traceback.extract_tb(raised.value.__traceback__)[-1].filename).is_relative_to(ROOT / "transformer")


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (torch.ones(2, 3), TypeError, "text must hold integer token ids, not torch.float32"),
        (torch.ones(2, 3, dtype=torch.bool), TypeError, "text must hold integer token ids, not torch.bool"),
        (torch.ones(3, dtype=torch.long), ValueError, r"text must be a non-empty .* not shape \(3,\)"),
        (torch.ones(2, 0, dtype=torch.long), ValueError, r"text must be a non-empty .* not shape \(2, 0\)"),
    ],
)
def test_what_is_no_matrix_of_ids_is_refused_with_its_name(ids, error, message):
    """Asked without a signature, whose type would speak first."""
    with pytest.raises(error, match=message):
        small.model().check_ids("text", ids)


def test_a_text_as_long_as_there_are_positions_is_read():
    ids = torch.full((1, small.CONFIG.max_length), 5)

    assert small.model()(ids, ids).isfinite().all()
