"""Grader: which level is nearest, and the weight that it stands for."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from quant.blockwise import decode, encode, in_blocks
from quant.codebooks import CODEBOOKS
from quant.packing import unpack_nibbles
from quant.quantize import dequantize_4bit, quantize_4bit
from tests.reference import quantization as reference

BLOCKS = torch.tensor([[0.5, -0.21, 0.1, 0.003, 0.3], [-2.0, 1.4, -0.7, 0.9, 0.05], [0.001, 0.01, -0.04, 0.03, 0.019]])


def encoded(blocks, codebook):
    answer = encode(blocks, codebook)
    assert answer is not None, "kind: encode returns nothing: is `return` missing?"
    assert isinstance(answer, tuple), "kind: encode returns two things: the codes, the scales"
    assert len(answer) == 2, f"kind: encode returns two things: the codes, the scales; not {len(answer)}"
    return answer


def nearest(x, codebook):
    """The code of the level nearest to each number, by the loops of the reference: a 1 in the block makes its scale 1."""
    line = torch.cat([x.flatten(), torch.ones(1)])
    codes, _ = reference.quantize(line.numpy(), codebook.tolist(), len(line))
    return torch.tensor(codes[:-1]).view(x.shape)


def test_each_block_has_the_scale_of_its_largest_weight():
    _, scales = encoded(BLOCKS, CODEBOOKS["nf4"])

    mistakes = {
        "that is the largest weight, not the largest |w|": BLOCKS.amax(dim=1),
        "that is one scale for all blocks": torch.full((3,), 2.0),
    }
    assert_matches(scales, [0.5, 2.0, 0.04], "block", name="the scales", mistakes=mistakes)


@pytest.mark.parametrize("name", CODEBOOKS)
def test_every_weight_gets_its_nearest_level(name):
    codebook = CODEBOOKS[name]
    x = BLOCKS / BLOCKS.abs().amax(dim=1, keepdim=True)

    codes, _ = encoded(BLOCKS, codebook)

    wanted, raw = nearest(x, codebook), nearest(BLOCKS.clamp(-1, 1), codebook)
    assert isinstance(codes, torch.Tensor), f"kind: the codes are a tensor, not {type(codes).__name__}"
    assert codes.dtype == torch.uint8, f"dtype: the codes are torch.uint8, not {codes.dtype}"
    assert codes.shape == (3, 5), f"shape: the codes of 3 blocks of 5 are (3, 5), not {tuple(codes.shape)}"
    ranks = codebook.sort(stable=True).indices.argsort()
    mistakes = {
        "the weights are not divided by their scale first": codebook[raw],
        "the distance has a sign: the level furthest above is taken": codebook.max().expand(3, 5),
        "these are ranks of the sorted codebook, where codes keep the codebook's own order": codebook[ranks[wanted]],
    }
    assert_matches(
        codebook[codes.int()], codebook[wanted], "block weight", name="the level of each weight", mistakes=mistakes
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_a_tie_goes_to_the_lower_value(reverse):
    """Levels of n/8 and a scale of 1: the middles are exact."""
    levels = torch.arange(-8, 8) / 8
    codebook = levels.flip(0) if reverse else levels
    middles = (levels[:-1] + levels[1:]) / 2

    codes, _ = encoded(torch.cat([middles, torch.ones(1)])[None], codebook)

    mistakes = {"of two levels that are equally near, the lower value is taken, not the upper": levels[1:]}
    found = codebook[codes.int()][0, :-1]
    assert_matches(found, levels[:-1], "weight", name="the level between two", mistakes=mistakes)


@pytest.mark.parametrize("name", CODEBOOKS)
def test_decode_is_the_level_times_the_scale(name):
    codebook, scales = CODEBOOKS[name], torch.tensor([0.5, 3.0])
    codes = torch.arange(16, dtype=torch.uint8).repeat(2, 1)

    weights = decode(codes, scales, codebook)

    mistakes = {
        "the scale is not used": codebook.repeat(2, 1),
        "the code itself is multiplied, not the level that it stands for": codes * scales[:, None],
    }
    wanted = codebook * scales[:, None]
    assert_matches(weights, wanted, "block weight", name="the weights", mistakes=mistakes)


@pytest.mark.parametrize("name", CODEBOOKS)
def test_a_block_of_zeros_is_zeros_again(name):
    weights = decode(*encoded(torch.zeros(2, 16), CODEBOOKS[name]), CODEBOOKS[name])

    assert_matches(weights, torch.zeros(2, 16), "block weight", name="a block of zeros after 4 bits")


@pytest.mark.parametrize("name", ["nf4", "int4", "uniform"])
def test_the_library_gives_the_same_codes_and_weights(name):
    torch.manual_seed(1)
    weight, codebook = torch.randn(6, 32), CODEBOOKS[name]
    quantized = quantize_4bit(weight, codebook, 64)

    codes, scales = encoded(in_blocks(weight.flatten(), 64), codebook)

    assert_matches(codes.flatten().double(), unpack_nibbles(quantized.codes, 192).double(), "weight", name="the codes")
    weights = decode(codes, scales, codebook).view(6, 32)
    assert_matches(weights, dequantize_4bit(quantized), "d_out d_in", name="the weights after 4 bits")
