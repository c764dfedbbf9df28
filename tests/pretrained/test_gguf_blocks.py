"""Block formats: every bit as the plain loops and the `gguf` package have it."""

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import ggml_blocks as reference
from transformer.pretrained.gguf.blocks import FORMATS, format_of

KINDS = list(reference.NUMBER)


def bits(weights: np.ndarray) -> list[int]:
    return np.asarray(weights, np.float32).reshape(-1).view(np.uint32).tolist()


def finite_blocks(kind: str, data: bytes) -> bytes:
    """The same bytes with an exponent less where a constant would be infinite or NaN."""
    blocks = np.frombuffer(data, FORMATS[reference.NUMBER[kind]].layout).copy()
    for constants in [blocks[name] for name in ("d", "m") if name in (blocks.dtype.names or ())] or [blocks]:
        constants[~np.isfinite(constants)] = -1.5
    return blocks.tobytes()


def decoded(kind: str, data: bytes) -> np.ndarray:
    block = FORMATS[reference.NUMBER[kind]]
    return block.decode(np.frombuffer(data, block.layout))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_random_bytes_give_the_reference_s_numbers_to_the_last_bit(kind, data):
    size = reference.NBYTES[kind]
    raw = finite_blocks(kind, data.draw(st.binary(min_size=3 * size, max_size=3 * size)))

    expected = gguf.dequantize(np.frombuffer(raw, np.uint8).reshape(3, size), gguf.GGMLQuantizationType[kind])

    assert bits(decoded(kind, raw)) == bits(expected) == bits(reference.decode(kind, raw))


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_own_encoder_is_the_reference_s(kind, rng):
    weights = (rng.normal(size=(3, 64)) * np.array([[1], [1e-3], [30]])).astype(np.float32)

    expected = gguf.quantize(weights, gguf.GGMLQuantizationType[kind]).tobytes()

    assert reference.encode(kind, weights) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_those_of_the_reference(kind):
    block = format_of(reference.NUMBER[kind])
    weights, nbytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]

    assert (block.name, block.weights, block.layout.itemsize) == (kind, weights, nbytes)
    assert block.nbytes(4 * weights) == 4 * nbytes


def test_another_format_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"has the type 12, Q4_K; known are F32, F16, Q4_0, Q4_1, Q8_0: take a file"):
        format_of(12)
    with pytest.raises(ValueError, match=r"has the type 999; known are"):
        format_of(999)
