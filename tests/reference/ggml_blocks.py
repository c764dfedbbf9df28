"""ggml's block formats in plain loops: one block at a time, every product and sum rounded to float32 on its own.

A block of bytes → its numbers (`decode`); numbers → a block (`encode`), as gguf-py rounds them.
"""

import struct

import numpy as np

NUMBER = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8}
WEIGHTS = {"F32": 1, "F16": 1, "Q4_0": 32, "Q4_1": 32, "Q8_0": 32}
NBYTES = {"F32": 4, "F16": 2, "Q4_0": 18, "Q4_1": 20, "Q8_0": 34}


def half(data: bytes) -> np.float32:
    return np.float32(struct.unpack("<e", data)[0])


def decode_block(kind: str, data: bytes) -> list[np.float32]:
    if kind == "F32":
        return [np.float32(struct.unpack("<f", data)[0])]
    if kind == "F16":
        return [half(data)]
    d = half(data[:2])
    if kind == "Q8_0":
        return [d * np.float32(q) for q in struct.unpack("<32b", data[2:])]
    low_bytes = data[-16:]
    codes = [byte % 16 for byte in low_bytes] + [byte // 16 for byte in low_bytes]
    if kind == "Q4_0":
        return [d * np.float32(code - 8) for code in codes]
    m = half(data[2:4])
    return [np.float32(d * np.float32(code)) + m for code in codes]


def decode(kind: str, data: bytes) -> np.ndarray:
    size = NBYTES[kind]
    blocks = [data[start : start + size] for start in range(0, len(data), size)]
    return np.array([w for block in blocks for w in decode_block(kind, block)], dtype=np.float32)


def encode_block(kind: str, weights: list[np.float32]) -> bytes:
    if kind == "F32":
        return struct.pack("<f", weights[0])
    if kind == "F16":
        return struct.pack("<e", weights[0])
    largest = max(weights, key=abs)  # with its sign: of two that are equally far from 0, the first
    if kind == "Q8_0":
        d = np.float32(abs(largest) / np.float32(127))
        codes = [int(np.sign(w) * np.floor(abs(w * inverse(d)) + np.float32(0.5))) for w in weights]
        return struct.pack("<e", d) + struct.pack("<32b", *codes)
    if kind == "Q4_0":
        d, m, start = np.float32(largest / np.float32(-8)), None, np.float32(8.5)
        moved = weights
    else:
        m, start = min(weights), np.float32(0.5)
        d = np.float32((max(weights) - m) / np.float32(15))
        moved = [w - m for w in weights]
    codes = [min(15, max(0, int(np.float32(w * inverse(d)) + start))) for w in moved]
    packed = bytes(codes[j] + 16 * codes[j + 16] for j in range(16))
    return struct.pack("<e", d) + (b"" if m is None else struct.pack("<e", m)) + packed


def inverse(d: np.float32) -> np.float32:
    return np.float32(0) if d == 0 else np.float32(1) / d


def encode(kind: str, weights: np.ndarray) -> bytes:
    size, line = WEIGHTS[kind], list(np.asarray(weights, np.float32).reshape(-1))
    return b"".join(encode_block(kind, line[start : start + size]) for start in range(0, len(line), size))
