"""The key/value cache: while decoding, nothing is projected twice.

Position t needs the keys and values of 0..t. Those of 0..t-1 are as they were, so each step projects one position only.
The memory's keys and values never change, so the cross-attention projects them once.

Memory   2 · layers · batch · (capacity + source) · d_model numbers: the room for all positions is reserved at the first step
"""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from transformer.attention import KeysAndValues


class GrowingCache:
    """A self-attention's past: each call appends. Keys and values have shape (batch, heads, time, d_head).

    `capacity`   how many positions there is room for
    """

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.length = 0
        self.stored: KeysAndValues | None = None

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues:
        """Appends what `project()` gives for the new positions, and returns the keys and values of all positions so far.

        Room for the whole capacity is made at the first call, and written in place; `length` counts the positions.
        """
        keys, values = project()
        if self.stored is None:
            self.stored = self.room_for(keys), self.room_for(values)
        start, self.length = self.length, self.length + keys.shape[2]
        for store, new in zip(self.stored, (keys, values), strict=True):
            store[:, :, start : self.length] = new
        return self.stored[0][:, :, : self.length], self.stored[1][:, :, : self.length]

    def room_for(self, x: Tensor) -> Tensor:
        """An empty tensor like `x`, with `capacity` positions."""
        batch, heads, _, d_head = x.shape
        return x.new_empty(batch, heads, self.capacity, d_head)

    def reorder(self, rows: Tensor) -> None:
        if self.stored is not None:
            for store in self.stored:
                store[:, :, : self.length] = store[:, :, : self.length].index_select(0, rows)


class FixedCache:
    """A cross-attention's memory: the first call projects, the others remember.

    It is read at every step, so each head's keys and values are laid out one after the other, as attention reads them.
    """

    def __init__(self) -> None:
        self.stored: KeysAndValues | None = None

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues:
        """What `project()` gave at the first call."""
        if self.stored is None:
            keys, values = project()
            self.stored = keys.contiguous(), values.contiguous()
        return self.stored


class KeyValueCache:
    """What a decoder remembers: of every layer its past, and the memory's keys and values. For inference.

    `capacity`   how many target positions there is room for
    """

    def __init__(self, num_layers: int, capacity: int):
        self.capacity = capacity
        self.length = 0
        self.layers = [(GrowingCache(capacity), FixedCache()) for _ in range(num_layers)]

    def advance(self, count: int) -> int:
        """Makes room for `count` new positions and returns how many stood there before."""
        past, self.length = self.length, advanced(self.length, count, self.capacity)
        return past

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was: beams that die make room for copies of those that live.

        The memory is left alone, since all beams of one source share it.
        """
        for past, _ in self.layers:
            past.reorder(rows)


class PromptCache:
    """What a decoder-only model remembers: of every layer its past, and which positions of it are real tokens.

    `room`   how many tokens may come after the prompt
    """

    def __init__(self, num_layers: int, room: int):
        self.num_layers = num_layers
        self.room = room
        self.length = 0
        self.layers: list[GrowingCache] = []

    def begin(self, real: Bool[Tensor, "batch 1 1 prompt"]) -> None:
        """Takes the prompt's mask; whatever comes after it is real."""
        self.length = real.shape[-1]
        self.capacity = self.length + self.room
        self.layers = [GrowingCache(self.capacity) for _ in range(self.num_layers)]
        self.real = F.pad(real, (0, self.room), value=True)
        self.padded = not bool(real.all())

    def advance(self, count: int) -> Bool[Tensor, "batch 1 1 memory"]:
        """Makes room for `count` new tokens and returns the mask of all positions up to them."""
        self.length = advanced(self.length, count, self.capacity)
        return self.real[..., : self.length]

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was. The mask stays: all beams of one prompt share it."""
        for past in self.layers:
            past.reorder(rows)


def advanced(length: int, count: int, capacity: int) -> int:
    """The length after `count` more positions. Raises ValueError where there is no room for them."""
    if length + count > capacity:
        raise ValueError(f"the cache has room for {capacity} positions; {length} are taken, {count} more came")
    return length + count
