"""A tensor into four bits and back: `quantize_4bit` and `dequantize_4bit`.

    codes, scales = encode(blocks of the weight)        kept: two codes in a byte, the scales as they are or in 8 bits
    ŵ = decode(codes, scales)                           in the shape and the type of the weight

Paper     QLoRA (arXiv 2305.14314)
"""

import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor

from quant.codebooks import NF4_CODEBOOK, check_codebook
from quant.double_quant import compress_scales
from quant.slices import decode_in_slices, encode_in_slices
from quant.tensor import QuantizedTensor, check_block_size


def quantize_4bit(
    weight: Shaped[Tensor, "*shape"],
    codebook: Shaped[Tensor, "*levels"] = NF4_CODEBOOK,
    block_size: int = 64,
    double_quant: bool = False,
) -> QuantizedTensor:
    """Any floating-point tensor in four bits per number; everything is computed in float32, and nothing has gradients.

    `codebook`       the 16 levels (codebooks.py)
    `block_size`     how many neighbours share a scale
    `double_quant`   keeps the scales in 8 bits (double_quant.py)

    Raises TypeError for integers or a tensor that is quantized already, ValueError for an empty tensor, for NaN or
    infinite weights, a codebook without 16 finite levels, or a block size that is no power of two or below 16.
    """
    check_weight(weight)
    check_block_size(block_size)
    codebook = check_codebook(codebook).to(weight.device)
    line = weight.detach().reshape(-1)
    codes, scales = encode_in_slices(line, codebook, block_size)
    if not scales.isfinite().all():
        raise ValueError(not_finite(line.float(), weight.shape))
    stored = compress_scales(scales) if double_quant else scales
    return QuantizedTensor(codes, stored, codebook, block_size, weight.shape, weight.dtype)


def dequantize_4bit(quantized: QuantizedTensor, dtype: torch.dtype | None = None) -> Float[Tensor, "..."]:
    """The weights again, in their own type or in `dtype`; the product is made in float32 in either case."""
    kept = (quantized.codes, quantized.scales, quantized.codebook)
    line = decode_in_slices(*kept, quantized.block_size, quantized.numel, dtype or quantized.dtype)
    return line.view(quantized.shape)


def check_weight(weight: Tensor) -> None:
    """Raises TypeError or ValueError for what has no floating-point values to quantize."""
    if isinstance(weight, QuantizedTensor):
        raise TypeError("this tensor is quantized already; dequantize_4bit gives its weights back")
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        what = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"quantize_4bit takes floating-point weights, not {what}; a packed tensor is quantized already")
    if weight.layout != torch.strided:
        raise TypeError(f"quantize_4bit takes dense weights, not {weight.layout}; to_dense() makes it one")
    if weight.numel() == 0:
        raise ValueError(f"there is nothing to quantize in a tensor of shape {tuple(weight.shape)}")
    if weight.is_meta:
        raise ValueError("a tensor on the meta device has no values to quantize; use Linear4bit(..., device='meta')")


def not_finite(line: Float32[Tensor, "count"], shape: torch.Size) -> str:
    """Says how many weights are NaN or infinite, and where the first one is."""
    bad = (~line.isfinite()).nonzero().flatten()
    where = tuple(int(index) for index in torch.unravel_index(bad[0], shape))
    return f"{len(bad)} of {len(line)} weights are NaN or infinite in float32, the first one {line[bad[0]]} at {where}"
