"""A quantized tensor: packed codes, one scale per block, and what it takes to read them back.

bits per parameter = 4 + 32/64 = 4.5                          with blocks of 64
                   = 4 + 8/64 + 32/(64 · 256) = 4.126953125   with double quantization
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from quant.codebooks import LEVELS
from quant.double_quant import CompressedScales, groups_of

Expected = dict[str, tuple[torch.dtype, tuple[int, ...]]]


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """What `quantize_4bit` gives and `dequantize_4bit` takes. Raises ValueError for parts that do not fit together.

    `codes`            two in a byte, the first weight in the high half (packing.py)
    `stored_scales`    what is kept of the scales: themselves, or 8 bits of each (double_quant.py)
    `codebook`         the 16 levels that the codes count
    `block_size`       how many neighbours share a scale
    `shape`, `dtype`   of the tensor that was quantized, and that `dequantize_4bit` gives back
    """

    codes: UInt8[Tensor, "bytes"]
    stored_scales: Float32[Tensor, "blocks"] | CompressedScales
    codebook: Float32[Tensor, "16"]
    block_size: int
    shape: torch.Size
    dtype: torch.dtype

    def __post_init__(self) -> None:
        check_block_size(self.block_size)
        check_tensors(self.tensors(), expected_tensors(self.numel, self.block_size, self.double_quant))

    @property
    def scales(self) -> Float32[Tensor, "blocks"]:
        """What decoding multiplies with."""
        stored = self.stored_scales
        return stored.expand() if isinstance(stored, CompressedScales) else stored

    @property
    def double_quant(self) -> bool:
        """Whether the scales are kept in 8 bits."""
        return isinstance(self.stored_scales, CompressedScales)

    @property
    def numel(self) -> int:
        """The number of weights."""
        return math.prod(self.shape)

    @property
    def device(self) -> torch.device:
        """Where the codes are, and with them all else."""
        return self.codes.device

    @property
    def bits_per_parameter(self) -> float:
        """Codes and constants of blocks and groups, without those of the whole tensor (the codebook, the mean)."""
        stored = self.stored_scales
        if isinstance(stored, CompressedScales):
            constants = stored.codes.nbytes + stored.absmax.nbytes
        else:
            constants = stored.nbytes
        return 8 * (self.codes.nbytes + constants) / self.numel

    @property
    def nbytes(self) -> int:
        """Everything that is kept: codes, scales, and the constants of the whole tensor."""
        return sum(tensor.nbytes for tensor in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor in it, by the name under which a layer registers it and a file holds it."""
        stored = self.stored_scales
        if isinstance(stored, CompressedScales):
            scales = {"scale_codes": stored.codes, "scale_constants": stored.constants}
        else:
            scales = {"scales": stored}
        return {"codes": self.codes, "codebook": self.codebook} | scales

    def to(self, device: torch.device | str) -> "QuantizedTensor":
        """The same on another device."""
        moved = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return from_parts(moved, self.block_size, self.shape, self.dtype)


def from_parts(
    tensors: Mapping[str, Tensor], block_size: int, shape: torch.Size, dtype: torch.dtype
) -> QuantizedTensor:
    """The inverse of `QuantizedTensor.tensors`. Raises ValueError for tensors that do not belong to this shape."""
    if "scale_codes" in tensors:
        scales: Tensor | CompressedScales = CompressedScales(tensors["scale_codes"], tensors["scale_constants"])
    else:
        scales = tensors["scales"]
    return QuantizedTensor(tensors["codes"], scales, tensors["codebook"], block_size, shape, dtype)


def expected_tensors(numel: int, block_size: int, double_quant: bool) -> Expected:
    """Name, type and shape of every tensor that keeps `numel` weights."""
    blocks = -(-numel // block_size)
    expected: Expected = {"codes": (torch.uint8, ((numel + 1) // 2,)), "codebook": (torch.float32, (LEVELS,))}
    if double_quant:
        expected["scale_codes"] = (torch.uint8, (blocks,))
        expected["scale_constants"] = (torch.float32, (1 + groups_of(blocks),))
    else:
        expected["scales"] = (torch.float32, (blocks,))
    return expected


def check_block_size(block_size: int) -> None:
    """Raises TypeError unless it is an integer, ValueError unless it is a power of two, and at least 16."""
    if type(block_size) is not int:
        raise TypeError(f"block_size is an integer, not {block_size!r}")
    if block_size < 16 or block_size & (block_size - 1):
        raise ValueError(f"block_size must be a power of two and at least 16, not {block_size}; the usual one is 64")


def check_tensors(tensors: Mapping[str, Tensor], expected: Expected) -> None:
    """Raises ValueError that lists every tensor that is missing, unknown, or of another type or shape."""
    problems = [f"missing {name}" for name in expected if name not in tensors]
    problems += [f"unknown {name}" for name in tensors if name not in expected]
    problems += [
        f"{name} is {tensors[name].dtype} {tuple(tensors[name].shape)}, expected {dtype} {shape}"
        for name, (dtype, shape) in expected.items()
        if name in tensors and (tensors[name].dtype, tuple(tensors[name].shape)) != (dtype, shape)
    ]
    if problems:
        raise ValueError("; ".join(problems))
