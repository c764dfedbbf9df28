"""Block-wise quantization: 64 neighbours share one scale, and each becomes the nearest of 16 levels.

    scale = max |w| in the block        code = argmin_i |codebook_i - w / scale|        ŵ = codebook[code] · scale

The weight is read row by row, as one long line, and cut into blocks; the last block may be short. An outlier spoils its
own block only. What is here is the formula; slices.py computes the same for a whole matrix, in less time and memory.

Paper     QLoRA (arXiv 2305.14314); blocks: 8-bit optimizers (arXiv 2110.02861)
"""

from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

SMALLEST_SCALE = 1e-38  # 1/scale is infinite in float32 below 2.94e-39, and 0 · ∞ is NaN; this stays clear of it


def encode(
    blocks: Float32[Tensor, "blocks size"], codebook: Float32[Tensor, "16"]
) -> tuple[UInt8[Tensor, "blocks size"], Float32[Tensor, "blocks"]]:
    """The code of every weight, its place in the codebook, and the scale of every block, its largest |w|.

    A weight takes the level nearest to w / scale (`normalized`). Of two that are equally near it takes the lower one, and
    of two equal ones the first; the codebook may stand in any order.
    """
    scales = blocks.abs().amax(dim=1)
    levels, code_of_level = codebook.sort(stable=True)  # argmin takes the first of equals: with sorted levels the lower
    distances = (normalized(blocks, scales)[..., None] - levels).abs()
    return code_of_level[distances.argmin(dim=-1)].byte(), scales


def decode(
    codes: UInt8[Tensor, "blocks size"], scales: Float32[Tensor, "blocks"], codebook: Float32[Tensor, "16"]
) -> Float32[Tensor, "blocks size"]:
    """ŵ = codebook[code] · scale: what four bits keep of each weight."""
    return codebook[codes.int()] * scales[:, None]


def in_blocks(line: Float32[Tensor, "count"], block_size: int) -> Float32[Tensor, "blocks size"]:
    """One block per row, the last one filled up with zeros, which change no block's largest |w|."""
    missing = -line.numel() % block_size
    return rearrange(F.pad(line, (0, missing)) if missing else line, "(blocks size) -> blocks size", size=block_size)


def normalized(
    blocks: Float32[Tensor, "blocks size"], scales: Float32[Tensor, "blocks"]
) -> Float32[Tensor, "blocks size"]:
    """w / scale, in [-1, 1], as w · (1 / scale). A block of zeros stays 0.

    A scale below SMALLEST_SCALE is taken as that, so that such a block gets levels too near to 0: a largest weight of
    5e-39 comes back from NF4 as 2.2e-39, one below 3.9e-40 as 0.
    """
    return blocks * (1 / scales.clamp(min=SMALLEST_SCALE))[:, None]
