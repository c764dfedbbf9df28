"""Block formats: how GGUF keeps numbers, and the float32 that each of them stands for.

    F32, F16    w                   the number itself
    Q8_0        w = d · q           32 numbers share a scale d; q is a signed byte
    Q4_0        w = d · (q - 8)     q = 0..15
    Q4_1        w = d · q + m       a scale d and a minimum m

d and m are of 16 bits. Of the 16 bytes of a block in four bits, the low half of byte j is weight j, the high half weight
j + 16. Everything is little-endian; a product and a sum are each rounded to float32, as ggml's own decoding does it.

Source    ggml's ggml-common.h (the layouts) and ggml-quants.c (`dequantize_row_*`)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8

HALF, FOUR_BITS = "<f2", ("q", "u1", 16)


@dataclass(frozen=True)
class BlockFormat:
    """One of the formats above.

    `layout`    one block as it lies in the file
    `weights`   how many numbers it holds
    `decode`    blocks → their numbers, a row for each block
    """

    name: str
    layout: np.dtype
    weights: int
    decode: Callable[[np.ndarray], np.ndarray]

    def nbytes(self, count: int) -> int:
        """Of `count` numbers, which fill whole blocks."""
        return count // self.weights * self.layout.itemsize


def in_float32(constants: Float[np.ndarray, "blocks"]) -> Float32[np.ndarray, "blocks 1"]:
    """A constant of every block, as a column."""
    return constants.astype(np.float32)[:, None]


def in_half_bytes(q: UInt8[np.ndarray, "blocks 16"]) -> UInt8[np.ndarray, "blocks 32"]:
    """The codes 0..15 as bytes: first the low halves of a block's 16 bytes, then the high ones."""
    return np.concatenate([q & 15, q >> 4], axis=1)


def decode_number(blocks: np.ndarray) -> Float32[np.ndarray, "blocks 1"]:
    """One number in a block, which is the weight."""
    return in_float32(blocks)


def decode_q8_0(blocks: np.ndarray) -> Float32[np.ndarray, "blocks 32"]:
    """w = d · q."""
    return in_float32(blocks["d"]) * blocks["q"]


def decode_q4_0(blocks: np.ndarray) -> Float32[np.ndarray, "blocks 32"]:
    """w = d · (q - 8)."""
    return in_float32(blocks["d"]) * (in_half_bytes(blocks["q"]).astype(np.int8) - np.int8(8))


def decode_q4_1(blocks: np.ndarray) -> Float32[np.ndarray, "blocks 32"]:
    """w = d · q + m. `blocks` has the fields "d" and "m", a constant of 16 bits each, and "q", the 16 bytes of codes.

    d and m are read as float32 (`in_float32`) first; then the product is rounded to float32, and the sum once more.
    """
    return in_float32(blocks["d"]) * in_half_bytes(blocks["q"]) + in_float32(blocks["m"])


FORMATS = {
    0: BlockFormat("F32", np.dtype("<f4"), 1, decode_number),
    1: BlockFormat("F16", np.dtype(HALF), 1, decode_number),
    2: BlockFormat("Q4_0", np.dtype([("d", HALF), FOUR_BITS]), 32, decode_q4_0),
    3: BlockFormat("Q4_1", np.dtype([("d", HALF), ("m", HALF), FOUR_BITS]), 32, decode_q4_1),
    8: BlockFormat("Q8_0", np.dtype([("d", HALF), ("q", "i1", 32)]), 32, decode_q8_0),
}
"""ggml's number of a type → its format."""
OTHERS = {6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 30: "BF16"}
"""Formats that files often have and that are not read here, to name them in a refusal."""


def format_of(number: int) -> BlockFormat:
    """Raises ValueError for a type that is not read here, with those that are."""
    if number not in FORMATS:
        name = f"{number}, {OTHERS[number]}" if number in OTHERS else str(number)
        raise ValueError(
            f"has the type {name}; known are {', '.join(known.name for known in FORMATS.values())}: "
            "take a file of the model in one of these"
        )
    return FORMATS[number]
