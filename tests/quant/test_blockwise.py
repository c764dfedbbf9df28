"""The formula: blocks, scales, the nearest level, and back."""

import numpy as np
import pytest
import torch

from quant import CODEBOOKS, FP4_CODEBOOK, NF4_CODEBOOK, decode, encode
from quant.blockwise import in_blocks
from tests.reference import quantization as reference

codebooks = pytest.mark.parametrize("codebook", CODEBOOKS.values(), ids=CODEBOOKS)


@codebooks
@pytest.mark.parametrize(("count", "size"), [(150, 16), (64, 64), (1, 32)])
def test_codes_scales_and_weights_are_those_of_the_loops(codebook, count, size):
    line = torch.randn(count)
    wanted_codes, wanted_scales = reference.quantize(line.numpy(), codebook.tolist(), size)

    codes, scales = encode(in_blocks(line, size), codebook)

    assert codes.dtype == torch.uint8
    assert codes.flatten()[:count].tolist() == wanted_codes
    np.testing.assert_allclose(scales.numpy(), wanted_scales, rtol=1e-6)
    restored = decode(codes, scales, codebook).flatten()[:count]
    expected = reference.dequantize(wanted_codes, wanted_scales, codebook.tolist(), size)
    np.testing.assert_allclose(restored.numpy(), expected, rtol=1e-6)


@codebooks
def test_a_weight_between_two_levels_takes_the_lower_one(codebook):
    """Levels of n/8 and a scale of 1: their middles are exact, and so are all distances."""
    eighths = (8 * codebook).round() / 8
    levels = eighths.unique()
    middles = (levels[:-1] + levels[1:]) / 2
    blocks = torch.cat([middles.clamp(-1, 1), torch.ones(1)])[None]

    codes, _ = encode(blocks, eighths)

    inside = middles.abs() <= 1
    assert torch.equal(eighths[codes.int()][0, :-1][inside], levels[:-1][inside])


def test_codes_count_in_the_codebooks_own_order_and_of_equal_levels_the_first_is_taken():
    blocks = torch.tensor([[1.0, -0.5, 0.0, 0.25]])

    codes, _ = encode(blocks, FP4_CODEBOOK)

    assert codes.tolist() == [[3, 13, 0, 7]]


@codebooks
def test_a_block_of_zeros_comes_back_as_zeros(codebook):
    assert torch.equal(decode(*encode(torch.zeros(2, 16), codebook), codebook), torch.zeros(2, 16))


@pytest.mark.parametrize(
    ("largest", "restored"), [(1e-38, 1e-38), (5e-39, 2.2035e-39), (3.9e-40, 0.0), (-4.5e-40, 0.0)]
)
def test_blocks_below_the_smallest_scale_lose_more_and_are_never_nan(largest, restored):
    blocks = torch.zeros(1, 16)
    blocks[0, 3] = largest

    found = decode(*encode(blocks, NF4_CODEBOOK), NF4_CODEBOOK)

    assert found[0, 3].item() == pytest.approx(restored, rel=1e-4, abs=1e-45)
    assert (found[0, :3] == 0).all()
