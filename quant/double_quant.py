"""Double quantization: the scales are numbers too, so they are quantized in their turn, to 8 bits.

    scale ≈ map[code] · absmax + mean         absmax = the largest |scale - mean| in a group of 256 scales

Scales are all positive and alike. Their mean is taken off first, so that both halves of the signed map are used.
One scale of 32 bits for 64 weights costs 0.5 bits per weight; 8 bits, and 32 more for 256 scales, cost

    8/64 + 32/(64 · 256) = 0.126953125 bits per weight

Paper     QLoRA (arXiv 2305.14314), section 3; the map is the one of 8-bit optimizers (arXiv 2110.02861)
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

GROUP = 256


def dynamic_map() -> Float32[Tensor, "256"]:
    """256 levels in [-1, 1], sorted: seven decades, each with twice the levels of the smaller one, and 0 and 1.

    Decade i = 0..6 ends at 10^(i-6). It is cut into 2^i equal parts, and their midpoints are its levels.
    """
    decades = []
    for i in range(7):
        edges = torch.linspace(0.1, 1, 2**i + 1)
        # The factor multiplies in float32, as in bitsandbytes, which defined the map: the levels agree to the last bit.
        decades.append(10.0 ** (i - 6) * ((edges[:-1] + edges[1:]) / 2))
    magnitudes = torch.cat(decades)
    return torch.cat([-magnitudes, torch.tensor([0.0]), magnitudes, torch.tensor([1.0])]).sort().values


DYNAMIC_MAP = dynamic_map()


@dataclass(frozen=True, eq=False)
class CompressedScales:
    """One byte per block, and 32 bits for 256 of them.

    `codes`       the place of each scale's level in the dynamic map
    `constants`   the mean of all scales, then each group's absmax
    """

    codes: UInt8[Tensor, "blocks"]
    constants: Float32[Tensor, "groups_and_one"]

    @property
    def mean(self) -> Float32[Tensor, ""]:
        """What was taken off every scale."""
        return self.constants[0]

    @property
    def absmax(self) -> Float32[Tensor, "groups"]:
        """The largest |scale - mean| of each group."""
        return self.constants[1:]

    def expand(self) -> Float32[Tensor, "blocks"]:
        """map[code] · absmax + mean: the scales that decoding uses. None is negative: it would turn its block's signs around."""
        levels = DYNAMIC_MAP.to(self.codes.device).index_select(0, self.codes.int())
        groups = in_groups(levels) * self.absmax[:, None] + self.mean
        return groups.flatten()[: self.codes.numel()].clamp(min=0)


def compress_scales(scales: Float32[Tensor, "blocks"]) -> CompressedScales:
    """(scale - mean) / absmax becomes the nearest of the 256 levels of the dynamic map; a tie goes to the lower one."""
    mean = scales.mean()
    groups = in_groups(scales - mean)
    absmax = groups.abs().amax(dim=1)
    normalized = groups / absmax.where(absmax > 0, 1)[:, None]
    levels = DYNAMIC_MAP.to(scales.device)
    codes = torch.bucketize(normalized, (levels[:-1] + levels[1:]) / 2, out_int32=True)
    return CompressedScales(
        codes=codes.flatten()[: scales.numel()].to(torch.uint8), constants=torch.cat([mean[None], absmax])
    )


def groups_of(blocks: int) -> int:
    """How many groups `blocks` scales make."""
    return -(-blocks // GROUP)


def in_groups(values: Float32[Tensor, "blocks"]) -> Float32[Tensor, "groups 256"]:
    """Rows of 256, the last one filled up with zeros."""
    return rearrange(F.pad(values, (0, -values.numel() % GROUP)), "(groups size) -> groups size", size=GROUP)
