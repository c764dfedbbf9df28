"""Keeping a quantized tensor in a file: a dictionary of plain tensors, as safetensors takes it, with strict checks.

    codes, codebook, scales                          the tensors themselves (or scale_codes and scale_constants)
    layout                                           JSON as bytes: shape, dtype, block_size, and a checksum

Every byte is a valid pair of codes, so that only the checksum can tell that one has changed.
"""

import json
import math
import zlib
from collections.abc import Mapping
from reprlib import repr as in_short
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from quant.tensor import QuantizedTensor, check_block_size, check_tensors, expected_tensors, from_parts

DTYPES = {str(dtype): dtype for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)}


def to_tensors(quantized: QuantizedTensor) -> dict[str, Tensor]:
    """What `from_tensors` reads, on the CPU."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in quantized.tensors().items()}
    layout = {
        "shape": list(quantized.shape),
        "dtype": str(quantized.dtype),
        "block_size": quantized.block_size,
        "double_quant": quantized.double_quant,
        "checksum": checksum(tensors),
    }
    return tensors | {"layout": torch.tensor(list(json.dumps(layout).encode()), dtype=torch.uint8)}


def from_tensors(tensors: Mapping[str, Tensor], name: str = "the quantized tensor") -> QuantizedTensor:
    """The inverse of `to_tensors`. Raises ValueError, with `name`, for anything missing, unknown, cut or changed."""
    if "layout" not in tensors:
        raise ValueError(f"{name} has no layout; here are {sorted(tensors)}")
    parts = {key: tensor for key, tensor in tensors.items() if key != "layout"}
    layout = read_layout(tensors["layout"], name)
    shape, block_size = torch.Size(layout["shape"]), layout["block_size"]
    try:
        check_block_size(block_size)
        check_tensors(parts, expected_tensors(shape.numel(), block_size, layout["double_quant"]))
    except ValueError as error:
        raise ValueError(f"{name} does not fit its layout, it may be truncated: {error}") from error
    if checksum(parts) != layout["checksum"]:
        raise ValueError(
            f"{name} is corrupted: its checksum is {checksum(parts)}, and {layout['checksum']} was written with it"
        )
    return from_parts(parts, block_size, shape, DTYPES[layout["dtype"]])


def read_layout(data: UInt8[Tensor, "bytes"], name: str) -> dict[str, Any]:
    """The layout that `to_tensors` wrote. Raises ValueError for what is none."""
    kinds = {"shape": list, "dtype": str, "block_size": int, "double_quant": bool, "checksum": int}
    try:
        layout = json.loads(bytes(data.tolist()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the layout of {name} is no JSON ({error}): the file is corrupted") from error
    wrong = not isinstance(layout, dict) or any(type(layout.get(key)) is not kind for key, kind in kinds.items())
    if wrong or layout["dtype"] not in DTYPES or not is_shape(layout["shape"]):
        raise ValueError(
            f"the layout of {name} needs {list(kinds)} and a dtype of {list(DTYPES)}; it is {in_short(layout)}"
        )
    return layout


def is_shape(sizes: list[Any]) -> bool:
    """Whether it is a shape of some numbers, and of no more than 2^40."""
    return all(type(size) is int and size > 0 for size in sizes) and math.prod(sizes) <= 2**40


def checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 over all bytes, the tensors in the order of their names."""
    total = 0
    for key in sorted(tensors):
        total = zlib.crc32(tensors[key].cpu().contiguous().numpy().tobytes(), total)
    return total
