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
MOST_NUMBERS, MOST_AXES = 1 << 26, 8
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


def unpack(data: bytes, most: int) -> list[Packet]:
    """The packets, of which there are at most `most`.

    Raises WireError for anything else, with the error's own words if the sender reported one.
    """
    packets: list[Packet] = []
    start = 0
    while start < len(data):
        if len(packets) == most:
            raise WireError(f"more than {most} answers came")
        packet, start = unpack_one(memoryview(data), start)
        packets.append(packet)
    return packets


def unpack_one(data: memoryview, start: int) -> tuple[Packet, int]:
    """The packet that begins at `start`, and where the next one does."""
    size = int.from_bytes(data[start : start + LENGTH], "little")
    start += LENGTH
    if size > min(LONGEST_HEADER, len(data) - start):
        raise WireError("the answer is cut short")
    entries = read_header(bytes(data[start : start + size]))
    start += size
    packet: Packet = {}
    for name, kind, shape in entries:
        # A zero hides a huge shape from the product that tells how many bytes it takes.
        extent = math.prod(max(length, 1) for length in shape)
        if kind not in DTYPES or min(shape, default=0) < 0 or extent > MOST_NUMBERS or len(shape) > MOST_AXES:
            raise WireError(f"{name} has the impossible type {kind} or shape {shape}")
        dtype, numpy_kind = DTYPES[kind]
        stop = start + math.prod(shape) * numpy_kind.itemsize
        if stop > len(data):
            raise WireError(f"{name} is cut short")
        numbers = np.frombuffer(data[start:stop], dtype=numpy_kind).reshape(shape)
        packet[name] = torch.from_numpy(numbers.copy()).to(dtype)
        start = stop
    return packet, start


def read_header(text: bytes) -> list[tuple[str, str, list[int]]]:
    """Name, kind and shape of each tensor."""
    try:
        header = json.loads(text)
        reported = header.get("error")
        entries = [(str(name), str(kind), [int(n) for n in shape]) for name, kind, shape in header.get("tensors", ())]
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError("the answer has no readable header") from error
    if reported is not None:
        raise WireError(str(reported))
    return entries
