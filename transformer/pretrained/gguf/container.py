"""The container: keys with their values, a table of tensors, and the tensors' bytes.

    "GGUF", version, number of tensors, number of keys      u32, u64, u64
    for each key      its name, type and value              a string is its length (u64) and UTF-8
    for each tensor   name, n, n sizes, type, offset        the fastest size first: torch's shape backwards
    filling up to a multiple of general.alignment (32)
    the tensors' bytes                                      the offsets count from here

The bytes are read and not mapped: a file that is cut while it is mapped would end the process.

Source    ggml's docs/gguf.md, versions 2 and 3
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from transformer.pretrained.gguf.header import Header
from transformer.pretrained.gguf.table import Entry, placed, read_entry

VERSIONS = (2, 3)
MOST_ENTRIES = 2**16  # of keys, and of tensors
LONGEST_KEY = 256  # ggml allows 65,535, and none is near it
SLICE = 2**17  # weights that are decoded at once: few enough for the processor's cache


@dataclass(frozen=True)
class Container:
    """What the header says.

    `values`    key → a number, a string, a list of strings or an array of numbers
    `entries`   the tensors by their names
    """

    path: Path
    values: dict[str, Any]
    entries: dict[str, Entry]

    def blocks(self, entry: Entry, first: int = 0, count: int | None = None) -> np.ndarray:
        """The blocks of a tensor as they lie in the file, or `count` of them. Raises ValueError for a cut file."""
        size = entry.format.layout.itemsize
        nbytes = entry.nbytes if count is None else count * size
        with self.path.open("rb") as file:
            file.seek(entry.start + first * size)
            data = file.read(nbytes)
        if len(data) != nbytes:
            raise ValueError(
                f"{self.path} was cut since it was opened: tensor {entry.name!r} ends early; fetch it again"
            )
        return np.frombuffer(data, entry.format.layout)

    def tensor(self, entry: Entry) -> Float32[Tensor, "..."]:
        """A tensor's weights, decoded slice by slice, so that nothing but the result is as large as the tensor.

        Raises ValueError for a cut file, and for weights that are not finite.
        """
        weights = np.empty(math.prod(entry.shape), np.float32)
        step = SLICE // entry.format.weights
        blocks = len(weights) // entry.format.weights
        with np.errstate(invalid="ignore"):  # 0 · ∞, which is looked for below
            for first in range(0, blocks, step):
                some = self.blocks(entry, first, min(step, blocks - first))
                part = weights[first * entry.format.weights :][: len(some) * entry.format.weights]
                part[:] = entry.format.decode(some).ravel()
                if not np.isfinite(part).all():
                    raise ValueError(
                        f"{self.path} is corrupted: tensor {entry.name!r} holds NaN or infinite weights; fetch it again"
                    )
        return torch.from_numpy(weights).view(entry.shape)


def read_container(path: str | Path) -> Container:
    """Reads the header alone. Raises FileNotFoundError, or ValueError that names the file and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with path.open("rb") as file:
        header = Header(path, file)
        tensors, keys = read_counts(header)
        values: dict[str, Any] = {}
        for index in range(keys):
            key = header.name(f"the name of key {index}", LONGEST_KEY)
            if key in values:
                raise header.refusal(f"key {key!r} is there twice")
            values[key] = header.value(header.number("I", f"key {key!r}"), f"key {key!r}")
        table = [read_entry(header, index) for index in range(tensors)]
        return Container(path, values, placed(header, table, values.get("general.alignment", 32)))


def read_counts(header: Header) -> tuple[int, int]:
    """How many tensors and keys follow."""
    if header.take(4, "the first word") != b"GGUF":
        raise header.refusal("it does not begin with GGUF")
    version = header.number("I", "the version")
    if version not in VERSIONS:
        big_endian = version & 0xFFFF == 0 and version != 0
        raise header.refusal(
            f"it is big-endian or of version {version}" if big_endian else f"version {version} is not 2 or 3"
        )
    counts = header.number("Q", "the number of tensors"), header.number("Q", "the number of keys")
    for count, what, least in zip(counts, ("tensors", "keys"), (32, 13)):
        if count > MOST_ENTRIES:
            raise header.refusal(f"{count} {what} are more than {MOST_ENTRIES}")
        header.check_room(count * least, f"the table of {count} {what}")
    return counts
