"""Block-wise quantization: 64 neighbours share one scale, and each becomes the nearest of 16 levels.

    scale = max |w| in the block        code = the level nearest to w / scale        ŵ = codebook[code] · scale

The weight is read row by row, as one long line; the last block may be short. An outlier spoils its own block only.

A whole matrix passes through the processor's cache in slices, so that no temporary is as large as the matrix.

Paper     QLoRA (arXiv 2305.14314); blocks: 8-bit optimizers (arXiv 2110.02861)
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Float32, Int64, Shaped, UInt8
from torch import Tensor
from torch.nn import functional as F

from quant.codebooks import LEVELS, NF4_CODEBOOK, check_codebook, thresholds
from quant.double_quant import compress_scales
from quant.packing import pack_nibbles
from quant.tensor import QuantizedTensor, check_block_size

SLICE = 2**17  # numbers: few enough for the cache, enough that calling an operation costs little beside it
SMALLEST_SCALE = 1e-38  # the largest float32 below which 1/scale may overflow; such a block becomes 0


def quantize_4bit(
    weight: Shaped[Tensor, "*shape"],
    codebook: Shaped[Tensor, "*levels"] = NF4_CODEBOOK,
    block_size: int = 64,
    double_quant: bool = False,
) -> QuantizedTensor:
    """Any floating-point tensor in four bits per number.

    Raises TypeError for integers or a tensor that is quantized already, ValueError for an empty tensor, for NaN or
    infinite weights, a codebook without 16 finite levels, or a block size that is no power of two or below 16.
    """
    check_weight(weight)
    check_block_size(block_size)
    codebook = check_codebook(codebook).to(weight.device)
    line = weight.detach().reshape(-1)
    codes = torch.empty((line.numel() + 1) // 2, dtype=torch.uint8, device=line.device)
    scales = torch.empty(-(-line.numel() // block_size), device=line.device)
    between, code_of_rank = thresholds(codebook)
    step = max(SLICE, block_size)
    for start in range(0, line.numel(), step):
        blocks = in_blocks(line[start : start + step].float(), block_size)
        block_scales = blocks.abs().amax(dim=1)
        ranks = thresholds_passed(normalized(blocks, block_scales).flatten(), between)
        packed = pack_nibbles(code_of_rank.index_select(0, ranks.int()))
        scales[start // block_size :][: len(block_scales)] = block_scales
        codes[start // 2 :][: len(packed)] = packed[: len(codes) - start // 2]
    if not scales.isfinite().all():
        raise ValueError(not_finite(line.float(), weight.shape))
    stored = compress_scales(scales) if double_quant else scales
    return QuantizedTensor(codes, stored, codebook, block_size, weight.shape, weight.dtype)


def dequantize_4bit(quantized: QuantizedTensor, dtype: torch.dtype | None = None) -> Float[Tensor, "..."]:
    """The weights again, in their own type or in `dtype`; the product is made in float32 in either case."""
    count, block_size = quantized.numel, quantized.block_size
    scales, pairs = quantized.scales, pair_table(quantized.codebook)
    weights = torch.empty(count, dtype=dtype or quantized.dtype, device=quantized.device)
    step = max(SLICE, block_size)
    for start in range(0, count, step):
        stop = min(start + step, count)
        levels = pairs.index_select(0, quantized.codes[start // 2 : (stop + 1) // 2].int()).view(torch.float32)
        blocks = in_blocks(levels, block_size)
        blocks *= scales[start // block_size :][: len(blocks), None]
        weights[start:stop] = blocks.flatten()[: stop - start]
    return weights.view(quantized.shape)


def in_blocks(line: Float32[Tensor, "count"], block_size: int) -> Float32[Tensor, "blocks size"]:
    """One block per row, the last one filled up with zeros."""
    missing = -line.numel() % block_size
    return rearrange(F.pad(line, (0, missing)) if missing else line, "(blocks size) -> blocks size", size=block_size)


def normalized(
    blocks: Float32[Tensor, "blocks size"], scales: Float32[Tensor, "blocks"]
) -> Float32[Tensor, "blocks size"]:
    """w / scale, in [-1, 1]; a block of zeros stays 0."""
    return blocks * (1 / scales.clamp(min=SMALLEST_SCALE))[:, None]


def thresholds_passed(numbers: Float32[Tensor, "count"], between: Float32[Tensor, "15"]) -> UInt8[Tensor, "count"]:
    """The rank of the nearest level: how many of the sorted thresholds lie below a number."""
    rank = torch.zeros(numbers.shape, dtype=torch.uint8, device=numbers.device)
    for threshold in between:
        rank += (numbers > threshold).view(torch.uint8)
    return rank


def pair_table(codebook: Float32[Tensor, "16"]) -> Int64[Tensor, "256"]:
    """For each byte its two levels, seen as one number of 64 bits: one look-up then fetches both."""
    first = repeat(codebook, "level -> (level other)", other=LEVELS)
    second = repeat(codebook, "level -> (other level)", other=LEVELS)
    return torch.stack([first, second], dim=1).flatten().view(torch.int64)


def check_weight(weight: Tensor) -> None:
    if isinstance(weight, QuantizedTensor):
        raise TypeError("this tensor is quantized already; dequantize_4bit gives its weights back")
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        what = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"quantize_4bit takes floating-point weights, not {what}; a packed tensor is quantized already")
    if weight.numel() == 0:
        raise ValueError(f"there is nothing to quantize in a tensor of shape {tuple(weight.shape)}")
    if weight.is_meta:
        raise ValueError("a tensor on the meta device has no values to quantize; use Linear4bit(..., device='meta')")


def not_finite(line: Float32[Tensor, "count"], shape: torch.Size) -> str:
    """Says how many weights are NaN or infinite, and where the first one is."""
    bad = (~line.isfinite()).nonzero().flatten()
    where = tuple(int(index) for index in torch.unravel_index(bad[0], shape))
    return f"{len(bad)} of {len(line)} weights are NaN or infinite in float32, the first one {line[bad[0]]} at {where}"
