"""The table of tensors: what each is called, its shape and format, and where in the file it lies.

    name, number of sizes n (u32), n sizes (u64), type (u32), offset (u64)

The fastest size comes first, which is torch's shape backwards. An offset counts from the end of the header, filled up to
a multiple of general.alignment.
"""

import math
from dataclasses import dataclass
from typing import Any

from transformer.pretrained.gguf.blocks import BlockFormat, format_of
from transformer.pretrained.gguf.header import Header

LONGEST_NAME, MOST_SIZES = 64, 4


@dataclass(frozen=True)
class Entry:
    """A line of the table: a tensor's torch shape, its format, and where it starts in the file."""

    name: str
    shape: tuple[int, ...]
    format: BlockFormat
    start: int

    @property
    def nbytes(self) -> int:
        """In the file."""
        return self.format.nbytes(math.prod(self.shape))


def read_entry(header: Header, index: int) -> Entry:
    """A line of the table, its start still counted from the data's beginning."""
    name = header.name(f"the name of tensor {index}", LONGEST_NAME)
    what = f"tensor {name!r}"
    dims = header.number("I", what)
    if not 1 <= dims <= MOST_SIZES:
        raise header.refusal(f"{what} has {dims} dimensions; 1 to {MOST_SIZES} are known")
    sizes = [header.number("Q", what) for _ in range(dims)]
    try:
        block = format_of(header.number("I", what))
    except ValueError as error:
        raise ValueError(f"{header.path} cannot be read: {what} {error}") from error
    if min(sizes) < 1 or sizes[0] % block.weights:
        raise header.refusal(f"{what} has the sizes {sizes}; rows of {block.name} are whole blocks of {block.weights}")
    return Entry(name, tuple(reversed(sizes)), block, header.number("Q", what))


def placed(header: Header, table: list[Entry], alignment: Any) -> dict[str, Entry]:
    """The entries with their places in the file. None reaches outside it or into another."""
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise header.refusal(f"general.alignment is a power of two, not {str(alignment)[:80]!r}")
    start = -(-header.position // alignment) * alignment
    entries: dict[str, Entry] = {}
    end = start
    for entry in sorted(table, key=lambda entry: entry.start):
        entry = Entry(entry.name, entry.shape, entry.format, start + entry.start)
        where = f"tensor {entry.name!r} lies at {entry.start} to {entry.start + entry.nbytes}"
        if entry.name in entries:
            raise header.refusal(f"tensor {entry.name!r} is there twice")
        if entry.start % alignment or entry.start < end or entry.start + entry.nbytes > header.size:
            raise header.refusal(f"{where}, and free are multiples of {alignment} from {end} to {header.size}")
        entries[entry.name], end = entry, entry.start + entry.nbytes
    return {entry.name: entries[entry.name] for entry in table}
