"""Tensors as bytes that are safe to read from somebody who is not trusted: a JSON header, then the raw numbers.

    8 bytes   length of the header
    header    {"tensors": [[name, dtype, shape], ...]} or {"error": message}
    numbers   one tensor after another, little-endian, row by row

Several such packets stand one after another. No pickle: reading them runs no code of theirs.
"""

import json
import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

READY = b"!"
"""The first byte of an answer, before any packet: the file is loaded, and the question may come."""

LENGTH = 8
LONGEST_HEADER = 1 << 20
DTYPES = {
    str(dtype).removeprefix("torch."): (dtype, np.dtype(kind))
    for dtype, kind in (
        (torch.float64, "<f8"),
        (torch.float32, "<f4"),
        (torch.int64, "<i8"),
        (torch.int32, "<i4"),
        (torch.uint8, "u1"),
        (torch.bool, "u1"),
    )
}

Packet = dict[str, Tensor]


class WireError(ValueError):
    """Bytes that are no packet."""


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    header, numbers = [], []
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        kind = str(plain.dtype).removeprefix("torch.")
        header.append([name, kind, list(plain.shape)])
        if kind not in DTYPES:
            raise WireError(f"{name} is {kind}; an answer holds {', '.join(DTYPES)}")
        numbers.append(plain.numpy().tobytes())
    return framed({"tensors": header}, b"".join(numbers))


def pack_error(message: str) -> bytes:
    return framed({"error": message}, b"")


def framed(header: dict, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(LENGTH, "little") + text + body


def join(packets: Iterable[bytes]) -> bytes:
    return b"".join(packets)


def unpack(data: bytes) -> list[Packet]:
    """All packets. Raises WireError for anything else, with the error's own words if the sender reported one."""
    packets = []
    while data:
        packet, data = unpack_one(data)
        packets.append(packet)
    return packets


def unpack_one(data: bytes) -> tuple[Packet, bytes]:
    size = int.from_bytes(data[:LENGTH], "little")
    if len(data) < LENGTH or size > min(LONGEST_HEADER, len(data) - LENGTH):
        raise WireError("the answer is cut short")
    try:
        header = json.loads(data[LENGTH : LENGTH + size])
        reported = header.get("error")
        entries = [(str(name), str(kind), [int(n) for n in shape]) for name, kind, shape in header.get("tensors", ())]
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError("the answer has no readable header") from error
    if reported is not None:
        raise WireError(str(reported))
    packet: Packet = {}
    start = LENGTH + size
    for name, kind, shape in entries:
        if kind not in DTYPES or any(length < 0 for length in shape) or len(shape) > 8:
            raise WireError(f"{name} has the impossible type {kind} or shape {shape}")
        dtype, numpy_kind = DTYPES[kind]
        stop = start + math.prod(shape) * numpy_kind.itemsize
        if stop > len(data):
            raise WireError(f"{name} is cut short")
        numbers = np.frombuffer(data[start:stop], dtype=numpy_kind).reshape(shape)
        packet[name] = torch.from_numpy(numbers.copy()).to(dtype)
        start = stop
    return packet, data[start:]
