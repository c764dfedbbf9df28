"""Probes of lessons 15 and 16."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients
from quant import affine, blockwise, codebooks, double_quant, packing, quantize
from quant.product import LinearFromCodes


def pack_nibbles(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for count in (draw.size(1, 9), 2 * draw.size(1, 9)):
        codes = draw.ids(0, 16, count).to(torch.uint8)
        packed = packing.pack_nibbles(codes, padding=draw.size(0, 15))
        found |= {f"{count} codes packed": packed, f"{count} codes again": packing.unpack_nibbles(packed, count)}
    return found


def normal_float(seed: int) -> dict[str, Tensor]:
    return {"the codebook": codebooks.normal_float_codebook()}


def nearest_level(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    blocks = draw.normal(draw.size(2, 5), draw.size(20, 60)).float() * draw.uniform(0.1, 9.0)
    blocks[0] = 0.0
    for name, codebook in {"its own codebook": draw.normal(16).float(), "FP4": codebooks.FP4_CODEBOOK}.items():
        codes, scales = blockwise.encode(blocks, codebook)
        # FP4 holds 0 twice: the level is compared, not which of the two codes.
        found |= {f"the scales, {name}": scales, f"the levels, {name}": codebook[codes.int()]}
        found[f"the weights again, {name}"] = blockwise.decode(codes, scales, codebook)
    return found


def block_scales(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    size = draw.size(2, 7)
    blocks = blockwise.in_blocks(draw.normal(draw.size(5, 40)).float(), size)
    scales = blocks.abs().amax(dim=1)
    scales[0] = 0.0
    blocks[0] = 0.0
    weight = draw.normal(draw.size(3, 9), draw.size(9, 20)).float()
    packed = quantize.quantize_4bit(weight, block_size=16)
    return {"the blocks": blocks, "w / scale": blockwise.normalized(blocks, scales), "the codes": packed.codes}


def affine_int4(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for size in (16, 64):
        weight = draw.normal(draw.size(2, 9), draw.size(5, 30)).float() + draw.uniform(-1.0, 1.0)
        packed = affine.quantize_affine(weight, size)
        found |= {f"the minimums of {size}": packed.minimums, f"the steps of {size}": packed.steps}
        found |= {f"the codes of {size}": packed.codes, f"the weights of {size}": affine.dequantize_affine(packed)}
    return found


def double_quantization(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    scales = draw.normal(draw.size(10, 600)).abs().float()
    kept = double_quant.compress_scales(scales)
    return {"the codes": kept.codes, "the constants": kept.constants, "the scales again": kept.expand()}


def qlora(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_in, d_out = draw.size(4, 9), draw.size(4, 9)
    weight = quantize.quantize_4bit(draw.normal(d_out, d_in), block_size=16, double_quant=bool(draw.size(0, 1)))
    x, bias = draw.normal(2, 3, d_in, grad=True), draw.normal(d_out, grad=True)
    output = LinearFromCodes.apply(x, bias, weight, *weight.tensors().values())
    plain = LinearFromCodes.apply(x, None, weight, *weight.tensors().values())
    return {"the output": output, "without a bias": plain} | gradients(output, x=x, bias=bias)
