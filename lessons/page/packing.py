"""Tensors in a page: two bytes a number, all first bytes before all second ones, deflated, in base64.

Neighbouring numbers have like exponents, which sit in the high byte: in a plane of their own they deflate well.
"""

import base64
import zlib
from typing import Any

import numpy as np
from torch import Tensor


class Packed:
    """Collects tensors. `index` says where each lies: name → [first, shape, bits]."""

    def __init__(self) -> None:
        self.index: dict[str, list[Any]] = {}
        self.pieces: list[np.ndarray] = []
        self.length = 0

    def add(self, name: str, tensor: Tensor, bits: int = 16) -> None:
        """In 16 bits, or in 32 as two halves."""
        values = tensor.detach().cpu().float().numpy()
        words = np.ascontiguousarray(values, dtype="<f2" if bits == 16 else "<f4").reshape(-1).view("<u2")
        self.index[name] = [self.length, list(values.shape), bits]
        self.pieces.append(words)
        self.length += len(words)

    def text(self) -> str:
        """All of it as base64."""
        words = np.concatenate(self.pieces)
        planes = (words >> 8).astype(np.uint8).tobytes() + (words & 255).astype(np.uint8).tobytes()
        return base64.b64encode(zlib.compress(planes, 9)).decode()
