"""Affine INT4: 16 equally spaced levels between the smallest and the largest weight of each block.

    step = (max - min) / 15        code = round((w - min) / step)        ŵ = code · step + min

It pays for two constants per block: 4 + 64/64 = 5 bits per parameter with blocks of 64. In return no level is wasted
on a side where the block has no weights, so that its mean squared error on normal weights is below NF4's. An exact 0
is not among its levels, but by chance.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Shaped, UInt8
from torch import Tensor

from quant.blockwise import in_blocks
from quant.packing import pack_nibbles, unpack_nibbles
from quant.quantize import check_weight, not_finite
from quant.tensor import check_block_size


@dataclass(frozen=True, eq=False)
class AffineTensor:
    """Packed codes, and for every block the value of code 0 and the step to the next one.

    `codes`            two in a byte (packing.py)
    `minimums`         the smallest weight of each block: the value of code 0
    `steps`            from each code to the next; 0 in a block of equal weights
    `shape`, `dtype`   of the tensor that was quantized, and that `dequantize_affine` gives back
    """

    codes: UInt8[Tensor, "bytes"]
    minimums: Float32[Tensor, "blocks"]
    steps: Float32[Tensor, "blocks"]
    block_size: int
    shape: torch.Size
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """Codes and both constants of every block."""
        return self.codes.nbytes + self.minimums.nbytes + self.steps.nbytes

    @property
    def bits_per_parameter(self) -> float:
        """Exactly 5 on whole blocks of 64."""
        return 8 * self.nbytes / self.shape.numel()


def quantize_affine(weight: Shaped[Tensor, "*shape"], block_size: int = 64) -> AffineTensor:
    """Any floating-point tensor in four bits per number: code = round((w - min) / step), a tie to the lower code.

    Raises what `quantize_4bit` raises: TypeError or ValueError for a weight or a block size that cannot be quantized.
    """
    check_weight(weight)
    check_block_size(block_size)
    line = weight.detach().reshape(-1).float()
    if not line.isfinite().all():
        raise ValueError(not_finite(line, weight.shape))
    # The short block is filled up with its own last weight, which changes neither its minimum nor its maximum.
    missing = -line.numel() % block_size
    blocks = in_blocks(torch.cat([line, line[-1:].expand(missing)]), block_size)
    minimums = blocks.amin(dim=1)
    steps = (blocks.amax(dim=1) - minimums) / 15
    positions = (blocks - minimums[:, None]) / steps.where(steps > 0, 1)[:, None]
    codes = (positions - 0.5).ceil().clamp(0, 15).to(torch.uint8)  # rounds a tie down
    return AffineTensor(
        pack_nibbles(codes.flatten()[: line.numel()]), minimums, steps, block_size, weight.shape, weight.dtype
    )


def dequantize_affine(quantized: AffineTensor) -> Float[Tensor, "..."]:
    """ŵ = code · step + min, in the shape and the type of the weight."""
    count, block_size = quantized.shape.numel(), quantized.block_size
    codes = unpack_nibbles(quantized.codes, count)
    blocks = in_blocks(codes.float(), block_size) * quantized.steps[:, None] + quantized.minimums[:, None]
    return blocks.flatten()[:count].view(quantized.shape).to(quantized.dtype)
