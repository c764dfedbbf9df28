"""The fast way is held to the formula, `encode` and `decode`."""

import pytest
import torch

from quant import CODEBOOKS, decode, encode, slices, unpack_nibbles
from quant.blockwise import in_blocks, normalized
from quant.slices import decode_in_slices, encode_in_slices, middles_of

OWN = torch.tensor([0.3, -0.9, 0.3, 1.0, -0.2, 0.05, 0.0, -1.0, 0.7, 0.71, -0.4, -0.41, 0.2, 0.1, -0.1, 0.5])
EVERY_CODEBOOK = CODEBOOKS | {"own": OWN}
ROUNDING = 2.0**-23  # of a distance between numbers in [-1, 1]

codebooks = pytest.mark.parametrize("codebook", EVERY_CODEBOOK.values(), ids=EVERY_CODEBOOK)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short line has several of them."""
    monkeypatch.setattr(slices, "SLICE", 64)


def lines(codebook: torch.Tensor) -> dict[str, torch.Tensor]:
    middles, _ = middles_of(codebook)
    zeros = torch.zeros(65)
    outlier = torch.randn(200)
    outlier[77] = 1e4
    return {
        "normal": torch.randn(1000),
        "odd": torch.randn(333),
        "one": torch.randn(1),
        "zeros": zeros,
        "denormal": 1e-40 * torch.randn(130),
        "between the smallest scales": 1e-38 * torch.rand(129),
        "ties": torch.cat([middles.clamp(-1, 1), torch.ones(1)]).repeat(5),
        "levels": codebook.clamp(-1, 1).repeat(9),
        "outlier": outlier,
        "nearly 0": torch.cat([torch.ones(1), 1e-9 * torch.randn(127)]),
    }


@codebooks
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("block_size", [16, 64, 256])
def test_codes_and_scales_are_those_of_the_formula(codebook, dtype, block_size):
    for name, line in lines(codebook).items():
        line = line.to(dtype)
        blocks = in_blocks(line.float(), block_size)
        codes, scales = encode(blocks, codebook)

        packed, found_scales = encode_in_slices(line, codebook, block_size)

        assert torch.equal(found_scales, scales), name
        wanted = codebook[codes.flatten()[: len(line)].int()]
        found = codebook[unpack_nibbles(packed, len(line)).int()]
        x = normalized(blocks, scales).flatten()[: len(line)].double()
        distances = (x[:, None] - codebook).abs()
        near = distances <= distances.amin(dim=1, keepdim=True) + ROUNDING
        lowest, highest = codebook.where(near, 9.0).amin(dim=1), codebook.where(near, -9.0).amax(dim=1)
        assert torch.equal(found[lowest == highest], wanted[lowest == highest]), name
        assert ((found == lowest) | (found == highest)).all(), name


@codebooks
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("block_size", [16, 64, 256])
def test_weights_are_those_of_the_formula_to_the_last_bit(codebook, dtype, block_size):
    for name, line in lines(codebook).items():
        packed, scales = encode_in_slices(line, codebook, block_size)
        codes = unpack_nibbles(packed, len(line))
        filled = torch.nn.functional.pad(codes, (0, -len(line) % block_size)).view(-1, block_size)

        found = decode_in_slices(packed, scales, codebook, block_size, len(line), dtype)

        assert torch.equal(found, decode(filled, scales, codebook).flatten()[: len(line)].to(dtype)), name


@codebooks
def test_a_tie_goes_to_the_lower_level(codebook):
    middles, code_of_rank = middles_of(codebook)
    levels = codebook[code_of_rank.int()]
    assert torch.equal(levels, codebook.sort().values)
    torch.testing.assert_close(middles - levels[:-1], levels[1:] - middles, atol=1e-6, rtol=0)
    inside = middles.abs() <= 1
    line = torch.cat([middles[inside], torch.ones(1)])

    packed, _ = encode_in_slices(line, codebook, 16)

    assert torch.equal(codebook[unpack_nibbles(packed, len(line)).int()][:-1], levels[:-1][inside])
