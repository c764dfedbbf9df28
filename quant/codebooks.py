"""Codebooks: the 16 numbers that four bits can stand for.

    ŵ = codebook[code] · scale         scale = the largest |w| of the weight's block

So the levels lie in [-1, 1], and a weight takes the level that is nearest to w / scale.

NF4      more levels where a normal distribution has more weights; has an exact 0
FP4      a sign, an exponent, a mantissa, as bitsandbytes has it (not the OCP's E2M1); 0 stands there twice
INT4     equal steps, -8..7 over 7; the largest |w| is ±7/7, so that -8 is never used
UNIFORM  16 equally spaced levels from -1 to 1; an even number of them, mirrored about 0, so none of them is 0

Paper     QLoRA (arXiv 2305.14314)
"""

import torch
from jaxtyping import Float32
from torch import Tensor

LEVELS = 16
FARTHEST = 8 / 7  # INT4's -8, which no weight takes; a level beyond it was never divided by the largest

# The format's definition: other programs hold these very numbers. `normal_float_codebook` says where they come from.
NF4_CODEBOOK = torch.tensor(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)
# Bit 3 is the sign; the other three, 0 to 7, stand for these magnitudes, in no order that the eye would find.
FP4_MAGNITUDES = torch.tensor([0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0]) / 12
FP4_CODEBOOK = torch.cat([FP4_MAGNITUDES, 0 - FP4_MAGNITUDES])
INT4_CODEBOOK = torch.arange(-8, 8) / 7
UNIFORM_CODEBOOK = (2 * torch.arange(LEVELS) - 15) / 15

CODEBOOKS = {"nf4": NF4_CODEBOOK, "fp4": FP4_CODEBOOK, "int4": INT4_CODEBOOK, "uniform": UNIFORM_CODEBOOK}


def normal_float_codebook(levels: int = LEVELS) -> Float32[Tensor, "levels"]:
    """NormalFloat from the normal distribution; with 16 levels NF4: 8 positive ones, 7 negative ones and an exact 0.

    The levels are quantiles: going out from the middle, each step passes the same share of a normal distribution's
    weights. The outermost quantile can be neither 1 nor 0 (it would be infinite); it stops half a step short, where
    a step is taken as 1 / (2 levels) on one side and 1 / (2 levels - 2) on the other, and their mean serves both. For
    NF4 that is 1/32 and 1/30. `levels` is even: half of them are positive.
    """
    outermost = 1 - (1 / (2 * levels) + 1 / (2 * levels - 2)) / 2
    positive = torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2 + 1, dtype=torch.float64)[:-1])
    negative = -torch.special.ndtri(torch.linspace(outermost, 0.5, levels // 2, dtype=torch.float64)[:-1])
    both = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive]).sort().values
    return (both / both.max()).float()


def check_codebook(codebook: Tensor) -> Float32[Tensor, "16"]:
    """A copy of the codebook in float32. Raises TypeError or ValueError unless it holds 16 levels in [-1, 1], INT4's -8/7 excepted."""
    if not isinstance(codebook, Tensor) or not codebook.is_floating_point():
        what = codebook.dtype if isinstance(codebook, Tensor) else type(codebook).__name__
        raise TypeError(f"a codebook is a floating-point tensor of {LEVELS} levels, not {what}; try {list(CODEBOOKS)}")
    if codebook.shape != (LEVELS,):
        raise ValueError(f"four bits name {LEVELS} levels, and this codebook has the shape {tuple(codebook.shape)}")
    if not codebook.is_meta and not codebook.isfinite().all():
        raise ValueError(f"a codebook's {LEVELS} levels must be finite, not {codebook.tolist()}")
    if not codebook.is_meta and (farthest := codebook.abs().max().item()) > FARTHEST + 1e-6:
        raise ValueError(
            f"a codebook's levels lie in [-1, 1], since a weight is divided by its block's largest; {farthest} is too far"
        )
    return codebook.detach().float().clone()


def codebook_name(codebook: Float32[Tensor, "16"]) -> str:
    """`nf4`, `fp4`, `int4`, `uniform`, `own` for any other, `meta` where there are no values."""
    if codebook.is_meta:
        return "meta"
    same = [name for name, known in CODEBOOKS.items() if torch.equal(known, codebook.cpu())]
    return same[0] if same else "own"
