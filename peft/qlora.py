"""QLoRA: LoRA on a base that is kept in four bits.

    y = x Ŵᵀ + b + s · dropout(x) Aᵀ Bᵀ        Ŵ = the dequantized weight, s = α/r

Changes   a weight matrix (place 1)        Identity at start   yes, to the quantized base (not to the base before it)
Trains    r (d_in + d_out) per layer       Merges              into the dequantized weight; back into 4 bits with a loss
Paper     "QLoRA" (arXiv 2305.14314)

There is no QLoRA layer: it is LoraLinear around a Linear4bit, or around the LinearQ4 of a model published in 4 bits. What is special is what is done to the base first, and
what a merge loses. A student's path: quantize → place LoRA → train → merge → measure what the rounding took.
"""

import warnings

from jaxtyping import Float
from torch import Tensor, nn

from peft.frame.layers import AdditiveLayer
from peft.frame.weights import weight_of
from quant import FP4_CODEBOOK, INT4_CODEBOOK, NF4_CODEBOOK, Linear4bit, LinearQ4, quantize_model


def on_nf4(model: nn.Module) -> nn.Module:
    """The base of QLoRA: every linear layer in NF4, its scales quantized once more."""
    return quantize_model(model, codebook=NF4_CODEBOOK, double_quant=True)


def on_fp4(model: nn.Module) -> nn.Module:
    """The same base in FP4, to see what the format costs."""
    return quantize_model(model, codebook=FP4_CODEBOOK, double_quant=True)


def on_int4(model: nn.Module) -> nn.Module:
    """The same base in INT4, to see what the format costs."""
    return quantize_model(model, codebook=INT4_CODEBOOK, double_quant=True)


def merged_in_4bit(layer: AdditiveLayer) -> Linear4bit | LinearQ4:
    """W ← quantize(Ŵ + ΔW): small again, but the rounding takes a part of the update. Warns how much, measured.

    Raises TypeError where the base is not in 4 bits.
    """
    if not isinstance(layer.base, Linear4bit | LinearQ4):
        raise TypeError(
            f"merging back into 4 bits needs a Linear4bit or LinearQ4 base, not {type(layer.base).__name__}"
        )
    before = weight_of(layer.base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = layer.merged()
    again = type(layer.base).from_linear(wanted, **layer.base.settings)
    lost = lost_share(wanted.weight - before, weight_of(again) - before)
    warnings.warn(f"merged back into 4 bits: {100 * lost:.0f} % of the update's length is rounding error", stacklevel=2)
    return again


def lost_share(wanted: Float[Tensor, "d_out d_in"], kept: Float[Tensor, "d_out d_in"]) -> float:
    """‖kept - wanted‖ / ‖wanted‖: 0 when the update is kept whole, about 1 or more when it is lost."""
    size = wanted.norm()
    return float((kept - wanted).norm() / size) if size > 0 else 0.0
