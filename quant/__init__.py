"""Four bits: NF4 and its rivals, block-wise quantization, double quantization, and the 4-bit linear layer.

Read in this order: codebooks, blockwise, packing, slices, double_quant, tensor, quantize, affine, storage, precision, product, packed, linear, ggml_blocks, linear_q4, direct_q4, model, error.
"""

from quant.affine import AffineTensor, dequantize_affine, quantize_affine
from quant.blockwise import decode, encode
from quant.codebooks import (
    CODEBOOKS,
    FP4_CODEBOOK,
    INT4_CODEBOOK,
    NF4_CODEBOOK,
    UNIFORM_CODEBOOK,
    normal_float_codebook,
)
from quant.direct_q4 import DirectQ4
from quant.double_quant import compress_scales, dynamic_map
from quant.ggml_blocks import decode_q4, encode_q4_0, encode_q4_1
from quant.linear import Linear4bit
from quant.linear_q4 import LinearQ4
from quant.model import linear_layers, quantize_model
from quant.packing import pack_nibbles, unpack_nibbles
from quant.quantize import dequantize_4bit, quantize_4bit
from quant.storage import from_tensors, to_tensors
from quant.tensor import QuantizedTensor

__all__ = [
    "CODEBOOKS",
    "FP4_CODEBOOK",
    "INT4_CODEBOOK",
    "NF4_CODEBOOK",
    "UNIFORM_CODEBOOK",
    "AffineTensor",
    "DirectQ4",
    "Linear4bit",
    "LinearQ4",
    "QuantizedTensor",
    "compress_scales",
    "decode",
    "decode_q4",
    "dequantize_4bit",
    "dequantize_affine",
    "dynamic_map",
    "encode",
    "encode_q4_0",
    "encode_q4_1",
    "from_tensors",
    "linear_layers",
    "normal_float_codebook",
    "pack_nibbles",
    "quantize_4bit",
    "quantize_affine",
    "quantize_model",
    "to_tensors",
    "unpack_nibbles",
]
