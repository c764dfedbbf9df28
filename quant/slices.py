"""`encode` and `decode` of blockwise.py for a whole matrix: the same codes and weights, in less time and memory.

    slices      a matrix passes through the processor's cache in parts, so that no temporary is as large as the matrix
    middles     the nearest level changes halfway between two neighbours: 15 comparisons in place of 16 distances
    pairs       a byte holds two codes: a table of 256 pairs of levels reads both in one look-up

Where a weight lies within float32's rounding of a middle, both levels are equally near, and a distance may name the one
and the middle the other. FP4 holds 0 twice: `encode` takes the first; here, as in bitsandbytes, what lies above 0 takes
the second.
"""

import torch
from einops import repeat
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from quant.blockwise import in_blocks, normalized
from quant.codebooks import LEVELS
from quant.packing import pack_nibbles

SLICE = 2**17  # numbers: few enough for the cache, enough that calling an operation costs little beside it


def encode_in_slices(
    line: Float[Tensor, "count"], codebook: Float32[Tensor, "16"], block_size: int
) -> tuple[UInt8[Tensor, "bytes"], Float32[Tensor, "blocks"]]:
    """The packed codes of a long line of weights, and the scale of every block."""
    middles, code_of_rank = middles_of(codebook)
    # Made first and filled: small results kept between large temporaries would scatter the heap.
    codes = torch.empty((line.numel() + 1) // 2, dtype=torch.uint8, device=line.device)
    scales = torch.empty(-(-line.numel() // block_size), device=line.device)
    size = max(SLICE, block_size)
    for start in range(0, line.numel(), size):
        blocks = in_blocks(line[start : start + size].float(), block_size)
        part_scales = blocks.abs().amax(dim=1)
        ranks = middles_below(normalized(blocks, part_scales).flatten(), middles)
        packed = pack_nibbles(code_of_rank.index_select(0, ranks.int()))
        scales[start // block_size : (start + size) // block_size] = part_scales
        codes[start // 2 : (start + size) // 2] = packed[: len(codes) - start // 2]
    return codes, scales


def decode_in_slices(
    codes: UInt8[Tensor, "bytes"],
    scales: Float32[Tensor, "blocks"],
    codebook: Float32[Tensor, "16"],
    block_size: int,
    count: int,
    dtype: torch.dtype,
) -> Float[Tensor, "count"]:
    """The weights of a long line, multiplied in float32 and written in `dtype`."""
    weights = torch.empty(count, dtype=dtype, device=codes.device)
    pairs, size = pair_table(codebook), max(SLICE, block_size)
    for start in range(0, count, size):
        stop = min(start + size, count)
        levels = pairs.index_select(0, codes[start // 2 : (stop + 1) // 2].int()).view(torch.float32)
        blocks = in_blocks(levels, block_size)
        blocks *= scales[start // block_size : (start + size) // block_size, None]
        weights[start:stop] = blocks.flatten()[: stop - start]
    return weights


def middles_of(codebook: Float32[Tensor, "16"]) -> tuple[Float32[Tensor, "15"], UInt8[Tensor, "16"]]:
    """Where the nearest level changes, and the code of each level from the lowest to the highest.

    A number on a middle belongs to the level below it: a tie goes to the lower value.
    """
    levels, code_of_rank = codebook.sort(stable=True)
    return (levels[:-1] + levels[1:]) / 2, code_of_rank.to(torch.uint8)


def middles_below(numbers: Float32[Tensor, "count"], middles: Float32[Tensor, "15"]) -> UInt8[Tensor, "count"]:
    """The rank of the nearest level: how many of the sorted middles lie below a number."""
    rank = torch.zeros(numbers.shape, dtype=torch.uint8, device=numbers.device)
    for middle in middles:
        rank += (numbers > middle).view(torch.uint8)
    return rank


def pair_table(codebook: Float32[Tensor, "16"]) -> Int64[Tensor, "256"]:
    """For each byte its two levels, seen as one number of 64 bits: one look-up then fetches both."""
    first = repeat(codebook, "level -> (level other)", other=LEVELS)
    second = repeat(codebook, "level -> (other level)", other=LEVELS)
    return torch.stack([first, second], dim=1).flatten().view(torch.int64)
