"""Packing: two codes in a byte, the first one in the high half.

byte = first · 16 + second
"""

import torch
from jaxtyping import UInt8
from torch import Tensor


def pack_nibbles(codes: UInt8[Tensor, "count"], padding: int = 0) -> UInt8[Tensor, "bytes"]:
    """Codes 0..15, two per byte. An odd count is filled up with `padding`.

    Raises ValueError for a code above 15: it would spill into its neighbour.
    """
    if codes.numel() and codes.max() > 15:
        raise ValueError(f"a code is at most 15, to fit in four bits; here is {codes.max().item()}")
    if codes.numel() % 2:
        codes = torch.cat([codes, codes.new_tensor([padding])])
    return (codes[0::2] << 4) | codes[1::2]


def unpack_nibbles(packed: UInt8[Tensor, "bytes"], count: int) -> UInt8[Tensor, "count"]:
    """The first `count` codes. Raises ValueError if the bytes hold another number of them."""
    if packed.numel() != (count + 1) // 2:
        raise ValueError(f"{count} codes fill {(count + 1) // 2} bytes, and here are {packed.numel()}")
    return torch.stack([packed >> 4, packed & 15], dim=1).flatten()[:count]
