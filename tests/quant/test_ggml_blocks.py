"""ggml's four bits: codes, constants and weights to the last bit of the `gguf` package's and of the plain loops."""

import gguf
import numpy as np
import pytest
import torch

from quant import decode_q4, encode_q4_0, encode_q4_1
from tests.reference import ggml_blocks as reference

ENCODE = {"Q4_0": encode_q4_0, "Q4_1": encode_q4_1}
every_kind = pytest.mark.parametrize("kind", list(ENCODE))


def in_file(kind: str, codes: torch.Tensor, scales: torch.Tensor, minimums: torch.Tensor | None) -> bytes:
    """The blocks as a GGUF holds them: constants, then codes."""
    columns = [scales] if minimums is None else [scales, minimums]
    constants = np.stack([column.numpy().reshape(-1) for column in columns], axis=1).view(np.uint8)
    return np.concatenate([constants, codes.numpy().reshape(len(constants), 16)], axis=1).tobytes()


def weights(rng) -> np.ndarray:
    """Rows of several sizes, a block of zeros, one of equal weights, one with two that are equally far from 0."""
    rows = (rng.normal(size=(70, 96)) * 10.0 ** rng.integers(-4, 3, size=(70, 1))).astype(np.float32)
    rows[3, :32], rows[5, 32:64] = 0, 0.37
    rows[7, 64:] = np.tile([-1.0, 1.0], 16)
    return rows


@every_kind
def test_what_is_encoded_is_the_reference_s_to_the_last_bit(kind, rng):
    rows = weights(rng)
    encoded = in_file(kind, *ENCODE[kind](torch.from_numpy(rows)))
    assert encoded == gguf.quantize(rows, gguf.GGMLQuantizationType[kind]).tobytes() == reference.encode(kind, rows)


@every_kind
def test_what_is_decoded_is_the_reference_s_to_the_last_bit(kind, rng):
    blocks = ENCODE[kind](torch.from_numpy(weights(rng)))
    expected = reference.decode(kind, in_file(kind, *blocks))
    assert decode_q4(*blocks).numpy().reshape(-1).view(np.uint32).tolist() == expected.view(np.uint32).tolist()


@every_kind
@pytest.mark.parametrize("size", [4 * 96, 32])
def test_slices_change_nothing(kind, rng, monkeypatch, size):
    blocks = ENCODE[kind](torch.from_numpy(weights(rng)))
    whole = decode_q4(*blocks)
    monkeypatch.setattr("quant.ggml_blocks.SLICE", size)
    assert torch.equal(decode_q4(*blocks), whole)


@every_kind
def test_what_four_bits_hold_already_is_kept_exactly(kind, rng):
    """A second rounding of a rounded matrix takes nothing away where d and m are exact in 16 bits."""
    codes = rng.integers(0, 16, size=(6, 64)).astype(np.float32)
    codes[:, [0, 32]], codes[:, [1, 33]] = 0, 15
    rows = torch.from_numpy(0.25 * codes + 1.5 if kind == "Q4_1" else 0.25 * (codes - 8))
    assert torch.equal(decode_q4(*ENCODE[kind](rows)), rows)


@pytest.mark.parametrize(("rows", "message"), [
    (torch.ones(2, 33), "rows of 33 weights are no blocks of 32"),
    (torch.ones(0, 32), "no blocks of 32"),
    (torch.full((2, 32), torch.nan), "NaN, infinite, or too large for a scale of 16 bits"),
    (torch.tensor([[1.0] * 63 + [torch.nan]]), "NaN, infinite, or too large for a scale of 16 bits"),
    (torch.full((2, 32), 1e6), "too large for a scale of 16 bits"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        encode_q4_1(rows)
