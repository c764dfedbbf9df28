"""Grader: blocks and their scales."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.blockwise import in_blocks, normalized
from quant.codebooks import NF4_CODEBOOK
from quant.quantize import dequantize_4bit, quantize_4bit
from tests.reference.quantization import dequantize, quantize


def test_neighbours_share_a_block_and_the_last_one_is_filled_up_with_zeros():
    line = torch.arange(1.0, 11.0)

    blocks = in_blocks(line, 4)

    rows = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 0, 0]]
    assert blocks.shape == (3, 4), f"shape: 10 numbers make 3 blocks of 4, not {tuple(blocks.shape)}"
    mistakes = {
        "the blocks are columns, where they are rows": torch.tensor(rows).flatten().reshape(4, 3).T.reshape(3, 4)
    }
    assert_matches(blocks, rows, "blocks size", name="the blocks", mistakes=mistakes)


def test_a_full_line_needs_no_filling():
    assert_matches(in_blocks(torch.arange(8.0), 4), [[0, 1, 2, 3], [4, 5, 6, 7]], "blocks size", name="the blocks")


def test_every_block_is_divided_by_its_own_scale():
    blocks = torch.tensor([[1.0, -4.0, 2.0], [0.5, 0.25, -0.125]])

    result = normalized(blocks, torch.tensor([4.0, 0.5]))

    mistakes = {
        "it is multiplied by the scale": blocks * torch.tensor([[4.0], [0.5]]),
        "one scale is used for all blocks": blocks / 4.0,
        "the smallest scale is used for all blocks": blocks / 0.5,
        "nothing is divided": blocks,
    }
    assert_matches(result, [[0.25, -1.0, 0.5], [1.0, 0.5, -0.25]], "blocks size", name="w / scale", mistakes=mistakes)


def test_a_block_of_zeros_stays_zero():
    result = normalized(torch.zeros(1, 3), torch.zeros(1))

    assert_matches(result, torch.zeros(1, 3), "blocks size", name="w / scale of a block of zeros")


@pytest.mark.parametrize(("shape", "block_size"), [((6, 32), 64), ((5, 13), 16), ((3,), 32)])
def test_quantizing_uses_them(shape, block_size):
    torch.manual_seed(1)
    weight = torch.randn(shape)

    quantized = quantize_4bit(weight, NF4_CODEBOOK, block_size)

    codes, scales = quantize(weight.numpy(), NF4_CODEBOOK, block_size)
    assert_matches(quantized.scales, scales, "blocks", name="the scales")
    wanted = dequantize(codes, scales, NF4_CODEBOOK, block_size).reshape(shape)
    axes = "d_out d_in" if len(shape) == 2 else "weight"
    assert_matches(dequantize_4bit(quantized), wanted, axes, name="the weights after 4 bits", rtol=1e-4)
