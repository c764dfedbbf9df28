"""Probes of lessons 15 and 16."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from quant import affine, blockwise, codebooks, double_quant, packing, quantize
from quant.product import LinearFromCodes
from quant.tensor import QuantizedTensor


def pack_nibbles(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for count in (15, 2 * draw.size(1, 9) + 1, 2 * draw.size(1, 9)):
        codes = draw.ids(0, 16, count).to(torch.uint8)
        packed = packing.pack_nibbles(codes, padding=draw.size(1, 15))
        found |= {f"{count} codes packed": packed, f"{count} codes again": packing.unpack_nibbles(packed, count)}
        found[f"the kind of error for {count + 2} codes in these bytes"] = refusal(
            packing.unpack_nibbles, packed, count + 2
        )
    too_large = torch.tensor([3, draw.size(16, 255)], dtype=torch.uint8)
    return found | {"the kind of error for a code above 15": refusal(packing.pack_nibbles, too_large)}


def normal_float(seed: int) -> dict[str, Tensor]:
    """Sixteen levels, and as many as the seed says: the steps, not their results."""
    levels = 2 * Draw(seed).size(2, 20)
    return {
        "the codebook": codebooks.normal_float_codebook(),
        f"one of {levels} levels": codebooks.normal_float_codebook(levels),
        "one of 4 levels": codebooks.normal_float_codebook(4),
    }


def nearest_level(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    blocks = draw.normal(draw.size(3, 5), draw.size(20, 60)).float() * draw.uniform(0.1, 9.0)
    blocks[1, 0] = -2.0 * blocks[1].abs().max()  # a largest weight that is negative
    blocks[0] = 0.0
    for name, codebook in {"its own codebook": draw.normal(16).float(), "FP4": codebooks.FP4_CODEBOOK}.items():
        codes, scales = blockwise.encode(blocks, codebook)
        # FP4 holds 0 twice: the level is compared, not which of the two codes.
        found |= {f"the scales, {name}": scales, f"the levels, {name}": codebook[codes.int()]}
        found[f"the weights again, {name}"] = blockwise.decode(codes, scales, codebook)
        found[f"are the codes bytes, {name}"] = torch.tensor(codes.dtype == torch.uint8)
    return found | ties(draw)


def ties(draw: Draw) -> dict[str, Tensor]:
    """Weights in the middle of two levels, and a codebook in any order that holds one level twice."""
    order = torch.randperm(16, generator=draw.generator)
    codebook = torch.cat([torch.arange(-7, 8), torch.tensor([3])])[order] / 8.0
    codes, scales = blockwise.encode((torch.arange(-13, 14, 2)[None] / 16.0).clamp(-1, 1), codebook * 16 / 13)
    blocks = torch.cat([torch.tensor([8.0]), torch.arange(-13, 14, 2) / 2.0])[None]
    halves, _ = blockwise.encode(blocks, codebook)
    return {
        "the levels of ties": codebook[halves.int()],
        "the codes of ties": halves,
        "others": codes,
        "scales": scales,
    }


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
        steps = torch.cat([torch.tensor([0.0, 15.0]), torch.arange(15) + 0.5])  # in the middle of two codes
        found[f"the codes of ties of {size}"] = affine.quantize_affine(steps, size).codes
        line = draw.normal(size + draw.size(1, 7)).to(torch.float16).abs() + 1.0  # the last block is short
        short = affine.quantize_affine(line, size)
        found |= {f"the minimums of a short block of {size}": short.minimums, f"its steps of {size}": short.steps}
        again = affine.dequantize_affine(short)
        found |= {
            f"its weights of {size}": again.float(),
            f"their type of {size}": torch.tensor(again.dtype == line.dtype),
        }
        equal = affine.quantize_affine(torch.full((size,), 0.3), size)
        found[f"equal weights of {size}"] = affine.dequantize_affine(equal)
        weight = draw.normal(draw.size(2, 9), draw.size(5, 30)).float() + draw.uniform(-1.0, 1.0)
        packed = affine.quantize_affine(weight, size)
        found |= {f"the minimums of {size}": packed.minimums, f"the steps of {size}": packed.steps}
        found |= {f"the codes of {size}": packed.codes, f"the weights of {size}": affine.dequantize_affine(packed)}
    return found


def double_quantization(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    found = {}
    many, few = draw.normal(draw.size(520, 700)).abs().float(), draw.normal(draw.size(10, 200)).abs().float()
    kinds = {
        "many": many,
        "few": few,
        "tiny ones": 1e-4 * few,
        "equal ones": torch.full((300,), 0.25),
        "a huge one": many,
    }
    for name, scales in kinds.items():
        scales = scales.clone()
        scales[0] = 1e4 if name == "a huge one" else scales[0]  # the smallest would come back negative
        kept = double_quant.compress_scales(scales)
        # The deviation of equal scales is 0, and then any code gives their mean back.
        found |= {} if name == "equal ones" else {f"the codes of {name}": kept.codes}
        found[f"the constants of {name}"] = kept.constants
        found |= {f"{name} again": kept.expand(), f"is none of {name} negative": (kept.expand() >= 0).all()}
    return found


def qlora(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_in, d_out = draw.size(4, 9), draw.size(4, 9)
    weight = quantize.quantize_4bit(draw.normal(d_out, d_in), block_size=16, double_quant=bool(draw.size(0, 1)))
    x, bias = draw.normal(2, 3, d_in, grad=True), draw.normal(d_out, grad=True)
    output = LinearFromCodes.apply(x, bias, weight, *weight.tensors().values())
    plain = LinearFromCodes.apply(x, None, weight, *weight.tensors().values())
    found = {"the output": output, "without a bias": plain} | gradients(output, x=x, bias=bias)
    found |= {f"{name} without a bias": gradient for name, gradient in gradients(plain, x=x).items()}
    return found | what_is_kept(draw, weight) | one_at_a_time(weight, x.detach(), bias)


def what_is_kept(draw: Draw, weight: QuantizedTensor) -> dict[str, Tensor]:
    """The numbers that wait for the backward pass: the codes and scales, and no matrix."""
    kept: list[int] = []
    x = draw.normal(3, weight.shape[1], grad=True)

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        LinearFromCodes.apply(x, None, weight, *weight.tensors().values())
    return {"how many bytes wait for the backward pass": torch.tensor(sum(kept))}


def one_at_a_time(weight: QuantizedTensor, x: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Where x needs no gradient, the bias gets its own all the same."""
    output = LinearFromCodes.apply(x, bias, weight, *weight.tensors().values())
    return {f"{name}, alone": gradient for name, gradient in gradients(output, bias=bias).items()}
