"""Lesson 15's measurements: bits of a number, the block by hand, what the formats lose, blocks with an outlier."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lessons.task.base import load_base
from lessons.task.scoring import evaluate
from quant import CODEBOOKS, UNIFORM_CODEBOOK, dequantize_4bit, encode, quantize_4bit, quantize_model
from quant.blockwise import in_blocks, normalized

FLOATS = {
    "fp32": (torch.float32, torch.int32, 32, 8),
    "bf16": (torch.bfloat16, torch.int16, 16, 8),
    "fp16": (torch.float16, torch.int16, 16, 5),
}
NAMES = (*FLOATS, "int8", "int4")
BLOCK = torch.tensor([0.5, -0.2, 0.1, 0.0] + [0.0] * 12)
ONE_SCALE = "uniform,\none scale"
EVERY = 4096


def bits_of(number: float, name: str) -> tuple[str, str, float]:
    """The bits, the part that each belongs to (s, e, m, or i for an integer), and the number that they stand for."""
    if name in FLOATS:
        kind, whole, width, exponent = FLOATS[name]
        stored = torch.tensor(number, dtype=kind)
        text = format(int(stored.view(whole)) & (2**width - 1), f"0{width}b")
        return text, "s" + "e" * exponent + "m" * (width - 1 - exponent), float(stored)
    width = int(name[3:])
    top = 2 ** (width - 1) - 1  # with scale 1, the number 1 is `top`
    step = round(number * top)
    return format(step & (2**width - 1), f"0{width}b"), "i" * width, step / top


def linear_weights() -> Tensor:
    """All weights of the base's linear layers, one after the other."""
    layers = [each for path, each in load_base().named_modules() if type(each) is nn.Linear and path != "output"]
    return torch.cat([layer.weight.detach().flatten() for layer in layers])


def relative(weights: Tensor) -> Tensor:
    """Each weight over the largest of its block of 64."""
    blocks = in_blocks(weights, 64)
    return normalized(blocks, blocks.abs().amax(dim=1))


def usage(weights: Tensor, name: str) -> dict[str, float]:
    """How often a format's codes are used (per cent), and how many of the 4 bits carry something (the entropy)."""
    codes, _ = encode(in_blocks(weights, 64), CODEBOOKS[name])
    shares = codes.flatten().bincount(minlength=16) / codes.numel()
    entropy = -(shares[shares > 0] * shares[shares > 0].log2()).sum()
    return {"least": 100 * shares.min().item(), "most": 100 * shares.max().item(), "bits": entropy.item()}


def errors_of_rounded(words: Sequence[str]) -> dict[str, float]:
    """Format → American phoneme error (per cent) of the base in it, without any training."""
    errors = {"fp32": 100 * evaluate(load_base(), words, "american").phoneme_error}
    for name in ("nf4", "uniform", "int4", "fp4"):
        model = quantize_model(load_base(), codebook=CODEBOOKS[name], double_quant=True, compute_dtype=torch.float32)
        errors[name] = 100 * evaluate(model, words, "american").phoneme_error
    whole = quantize_model(load_base(), codebook=UNIFORM_CODEBOOK, block_size=2**16, compute_dtype=torch.float32)
    errors[ONE_SCALE] = 100 * evaluate(whole, words, "american").phoneme_error
    return errors


def errors_by_block(sizes: Sequence[int], count: int) -> dict[str, list[float]]:
    """RMS error of normal weights for each block size, alone, and where one in 4,096 is 20; that one is not counted."""
    plain = torch.randn(count)
    others = torch.arange(count) % EVERY != 0
    found = {}
    for name, weights in (
        ("normal weights", plain),
        ("with one outlier in 4,096", plain.where(others, torch.tensor(20.0))),
    ):
        back = [dequantize_4bit(quantize_4bit(weights, block_size=size)) for size in sizes]
        found[name] = [float((each - weights)[others].square().mean().sqrt()) for each in back]
    return found


def bits_by_block(sizes: Sequence[int]) -> dict[str, list[float]]:
    """Bits for each weight: with a scale of 32 bits for each block, and with scales of 8 bits."""
    return {
        "scale in 32 bits": [4 + 32 / size for size in sizes],
        "double quantization": [4 + 8 / size + 32 / (256 * size) for size in sizes],
    }


def double_quantization() -> dict[str, float]:
    """Bits for each weight and RMS error on normal weights, with scales of 32 bits and quantized once more."""
    matrix, found = torch.randn(256, 256), {}
    for name, double in (("single", False), ("double", True)):
        quantized = quantize_4bit(matrix, double_quant=double)
        found[f"{name}_bits"] = quantized.bits_per_parameter
        found[f"{name}_error"] = float((dequantize_4bit(quantized) - matrix).square().mean().sqrt())
    return found
