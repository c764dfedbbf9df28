"""ggml's four bits: 32 neighbours of a row share a grid of 16 equally spaced levels, with constants of 16 bits.

    Q4_1    ŵ = d · q + m          m = min, d = (max - min) / 15            4 + 2 · 16/32 = 5 bits a weight
    Q4_0    ŵ = d · (q - 8)        d = the weight farthest from 0, / -8     4 + 16/32 = 4.5 bits

q = 0..15. Of the 16 bytes of a block, the low half of byte j is the code of weight j, the high half that of weight
j + 16. The codes are chosen with d in 32 bits, and d and m are rounded afterwards, as ggml does it.

Source    ggml-quants.c: `quantize_row_q4_1_ref`, `dequantize_row_q4_1`, and the same for q4_0
"""

import torch
from einops import rearrange
from jaxtyping import Float, Float16, Float32, UInt8
from torch import Tensor

from quant.tensor import Expected, check_tensors

BLOCK = 32
SLICE = 2**17  # weights that are decoded at once: few enough for the processor's cache

Blocks = tuple[UInt8[Tensor, "d_out bytes"], Float16[Tensor, "d_out blocks"], Float16[Tensor, "d_out blocks"] | None]
"""Codes, scales d, and minimums m (None for Q4_0)."""


def encode_q4_1(weight: Float[Tensor, "d_out d_in"]) -> Blocks:
    """q = ⌊(w - m) / d + ½⌋. Raises ValueError for rows that are no whole blocks, and for weights that do not fit."""
    blocks = in_blocks(weight)
    minimums = blocks.amin(dim=-1, keepdim=True)
    scales = (blocks.amax(dim=-1, keepdim=True) - minimums) / 15
    codes = ((blocks - minimums) * inverse(scales) + 0.5).clamp(0, 15)
    return packed(codes), in_half(scales), in_half(minimums)


def encode_q4_0(weight: Float[Tensor, "d_out d_in"]) -> Blocks:
    """q = ⌊w / d + 8½⌋. Raises ValueError as `encode_q4_1` does."""
    blocks = in_blocks(weight)
    farthest = blocks.gather(-1, blocks.abs().argmax(dim=-1, keepdim=True))
    scales = farthest / -8
    codes = (blocks * inverse(scales) + 8.5).clamp(0, 15)
    return packed(codes), in_half(scales), None


def decode_q4(
    codes: UInt8[Tensor, "d_out bytes"],
    scales: Float16[Tensor, "d_out blocks"],
    minimums: Float16[Tensor, "d_out blocks"] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "d_out d_in"]:
    """ŵ, a slice of rows at a time: the products are made in float32, and nothing else is as large as the result."""
    weight = torch.empty(len(codes), 2 * codes.shape[1], dtype=dtype, device=codes.device)
    rows = max(1, SLICE // weight.shape[1])
    for start in range(0, len(weight), rows):
        part = slice(start, start + rows)
        m = None if minimums is None else minimums[part]
        weight[part] = decoded_rows(codes[part], scales[part], m)
    return weight


def decoded_rows(
    codes: UInt8[Tensor, "rows bytes"],
    scales: Float16[Tensor, "rows blocks"],
    minimums: Float16[Tensor, "rows blocks"] | None,
) -> Float32[Tensor, "rows d_in"]:
    """d · q + m, or d · (q - 8); product and sum are rounded each, so that every bit is ggml's."""
    halves = rearrange(codes, "rows (blocks bytes) -> rows blocks bytes", bytes=BLOCK // 2)
    q = torch.cat([halves & 15, halves >> 4], dim=-1).float()
    d = scales.float()[..., None]
    blocks = q.sub_(8).mul_(d) if minimums is None else q.mul_(d).add_(minimums.float()[..., None])
    return rearrange(blocks, "rows blocks size -> rows (blocks size)")


def expected_blocks(d_out: int, d_in: int, minimum: bool) -> Expected:
    """Name, type and shape of the tensors that keep a matrix, `minimums` where its blocks have them."""
    constants = (torch.float16, (d_out, d_in // BLOCK))
    expected: Expected = {"codes": (torch.uint8, (d_out, d_in // 2)), "scales": constants}
    return expected | {"minimums": constants} if minimum else expected


def check_blocks(codes: Tensor, scales: Tensor, minimums: Tensor | None, bias: Tensor | None) -> None:
    """Raises ValueError for tensors that are not of one layer: many would be stretched to fit without a word."""
    d_out, d_in = len(codes), 2 * codes.shape[1]
    if not d_out or not d_in or d_in % BLOCK:
        raise ValueError(f"codes of {d_out} outputs and {d_in} inputs are no blocks of {BLOCK}")
    parts = {"codes": codes, "scales": scales} | ({} if minimums is None else {"minimums": minimums})
    check_tensors(parts, expected_blocks(d_out, d_in, minimums is not None))
    if bias is not None and bias.shape != (d_out,):
        raise ValueError(f"a layer of {d_out} outputs has as many biases, not {tuple(bias.shape)}")


def in_blocks(weight: Float[Tensor, "d_out d_in"]) -> Float32[Tensor, "d_out blocks 32"]:
    """The blocks of each row. Raises ValueError where a row is no whole number of them."""
    if weight.shape[1] % BLOCK or not weight.numel():
        raise ValueError(f"rows of {weight.shape[1]} weights are no blocks of {BLOCK}: NF4 takes any shape")
    return rearrange(weight.detach().float(), "d_out (blocks size) -> d_out blocks size", size=BLOCK)


def inverse(scales: Float32[Tensor, "d_out blocks 1"]) -> Float32[Tensor, "d_out blocks 1"]:
    """1 / d, and 0 for a block of equal weights."""
    return torch.where(scales == 0, 0, 1 / scales)


def packed(codes: Float32[Tensor, "d_out blocks 32"]) -> UInt8[Tensor, "d_out bytes"]:
    """Each code is cut down to a whole number; two fill a byte."""
    low, high = codes.to(torch.uint8).split(BLOCK // 2, dim=-1)
    return rearrange(low | (high << 4), "d_out blocks bytes -> d_out (blocks bytes)")


def in_half(constants: Float32[Tensor, "d_out blocks 1"]) -> Float16[Tensor, "d_out blocks"]:
    """Rounded to 16 bits. Raises ValueError for what is too large for them, NaN and infinity."""
    rounded = constants.squeeze(-1).half()
    if not rounded.isfinite().all():
        raise ValueError("a weight is NaN, infinite, or too large for a scale of 16 bits: NF4 keeps scales in 32")
    return rounded
