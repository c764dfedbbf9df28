"""How much a format loses: `python -m quant.error` measures all of them on normal weights.

mean |w - ŵ|        RMS = √mean (w - ŵ)²        SNR = 10 log₁₀ (var w / mean (w - ŵ)²) decibels
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor

from quant.affine import dequantize_affine, quantize_affine
from quant.codebooks import FP4_CODEBOOK, INT4_CODEBOOK, NF4_CODEBOOK, UNIFORM_CODEBOOK
from quant.quantize import dequantize_4bit, quantize_4bit


@dataclass(frozen=True)
class QuantizationError:
    """How far ŵ is from w: the first two and the last in the unit of the weights, `snr` in decibels.

    `mean_absolute`       mean |w - ŵ|
    `root_mean_square`    √mean (w - ŵ)²
    `snr`                 10 log₁₀ (var w / mean (w - ŵ)²)
    `largest`             max |w - ŵ|
    """

    mean_absolute: float
    root_mean_square: float
    snr: float
    largest: float


def quantization_error(weight: Float[Tensor, "*shape"], restored: Float[Tensor, "*shape"]) -> QuantizationError:
    """Compares a weight with what a format gave back for it."""
    difference = weight.float() - restored.float()
    mean_square = difference.square().mean()
    return QuantizationError(
        mean_absolute=difference.abs().mean().item(),
        root_mean_square=mean_square.sqrt().item(),
        snr=10 * (weight.float().var() / mean_square).log10().item(),
        largest=difference.abs().max().item(),
    )


def codebook_round_trip(codebook: Tensor, double_quant: bool = False) -> Callable[[Tensor, int], tuple[float, Tensor]]:
    """A function of a weight and a block size: bits per parameter, and the weight after four bits."""

    def round_trip(weight: Tensor, block_size: int) -> tuple[float, Tensor]:
        quantized = quantize_4bit(weight, codebook, block_size, double_quant)
        return quantized.bits_per_parameter, dequantize_4bit(quantized)

    return round_trip


def affine_round_trip(weight: Tensor, block_size: int) -> tuple[float, Tensor]:
    """The same for affine INT4."""
    quantized = quantize_affine(weight, block_size)
    return quantized.bits_per_parameter, dequantize_affine(quantized)


FORMATS = {
    "NF4": codebook_round_trip(NF4_CODEBOOK),
    "NF4, double quantization": codebook_round_trip(NF4_CODEBOOK, double_quant=True),
    "FP4": codebook_round_trip(FP4_CODEBOOK),
    "INT4, symmetric": codebook_round_trip(INT4_CODEBOOK),
    "INT4, affine": affine_round_trip,
    "16 equal levels": codebook_round_trip(UNIFORM_CODEBOOK),
}


def error_table(weight: Float[Tensor, "*shape"], block_size: int = 64) -> dict[str, tuple[float, QuantizationError]]:
    """By format (`FORMATS`): its bits per parameter and its errors on this weight."""
    table = {}
    for name, round_trip in FORMATS.items():
        bits, restored = round_trip(weight, block_size)
        table[name] = bits, quantization_error(weight, restored)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Errors of the 4-bit formats on normally distributed weights")
    parser.add_argument("--size", type=int, default=2048, help="rows and columns of the matrix (default 2048)")
    parser.add_argument("--block-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    weight = torch.randn(options.size, options.size, generator=torch.Generator().manual_seed(options.seed))
    table = Table("format", "bits", "mean abs", "RMS", "SNR dB", "largest")
    for name, (bits, error) in error_table(weight, options.block_size).items():
        numbers = (f"{error.mean_absolute:.4f}", f"{error.root_mean_square:.4f}", f"{error.snr:.2f}")
        table.add_row(name, f"{bits:.4f}", *numbers, f"{error.largest:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
