"""The key/value cache: while decoding, nothing is projected twice.

Position t needs the keys and values of 0..t. Those of 0..t-1 are as they were, so each step projects one position only.
The memory's keys and values never change, so the cross-attention projects them once.

Memory   2 · layers · batch · (target + source) · d_model numbers
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from transformer.attention import KeysAndValues


class GrowingStore:
    """A self-attention's past: each call appends. Keys and values have shape (batch, heads, time, d_head)."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self.length = 0
        self.stored: KeysAndValues | None = None

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues:
        keys, values = project()
        if self.stored is None:
            self.stored = self.room_for(keys), self.room_for(values)
        start, self.length = self.length, self.length + keys.shape[2]
        for store, new in zip(self.stored, (keys, values), strict=True):
            store[:, :, start : self.length] = new
        return self.stored[0][:, :, : self.length], self.stored[1][:, :, : self.length]

    def room_for(self, x: Tensor) -> Tensor:
        batch, heads, _, d_head = x.shape
        return x.new_empty(batch, heads, self.capacity, d_head)

    def reorder(self, rows: Tensor) -> None:
        if self.stored is not None:
            for store in self.stored:
                store[:, :, : self.length] = store[:, :, : self.length].index_select(0, rows)


class FixedStore:
    """A cross-attention's memory: the first call projects, the others remember.

    It is read at every step, so each head's keys and values are laid out one after the other, as attention reads them.
    """

    def __init__(self) -> None:
        self.stored: KeysAndValues | None = None

    def keys_and_values(self, project: Callable[[], KeysAndValues]) -> KeysAndValues:
        if self.stored is None:
            keys, values = project()
            self.stored = keys.contiguous(), values.contiguous()
        return self.stored


class KeyValueCache:
    """One growing and one fixed store for every decoder layer. For inference: it is written in place.

    `max_length`   how many target positions there is room for
    """

    def __init__(self, num_layers: int, max_length: int):
        self.max_length = max_length
        self.length = 0
        self.layers = [(GrowingStore(max_length), FixedStore()) for _ in range(num_layers)]

    def advance(self, count: int) -> int:
        """Makes room for `count` new positions and returns how many stood there before."""
        past = self.length
        if past + count > self.max_length:
            raise ValueError(f"the cache has room for {self.max_length} positions; {past} are taken, {count} more came")
        self.length += count
        return past

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was: beams that die make room for copies of those that live.

        The memory is left alone, since all beams of one source share it.
        """
        for past, _ in self.layers:
            past.reorder(rows.to(torch.long))


class PromptCache:
    """What a decoder-only model remembers: every layer's past, and which positions of it are real tokens.

    `room`   how many tokens may come after the prompt
    """

    def __init__(self, num_layers: int, room: int):
        self.num_layers = num_layers
        self.room = room
        self.length = 0
        self.padded = False
        self.stores: list[GrowingStore] = []

    def begin(self, real: Bool[Tensor, "batch 1 1 prompt"]) -> None:
        """Takes the prompt's mask; whatever comes after it is real."""
        self.length = real.shape[-1]
        self.capacity = self.length + self.room
        self.stores = [GrowingStore(self.capacity) for _ in range(self.num_layers)]
        self.real = F.pad(real, (0, self.room), value=True)
        self.padded = not bool(real.all())

    def advance(self, count: int) -> Bool[Tensor, "batch 1 1 memory"]:
        """Makes room for `count` new tokens and returns the mask of all positions up to them."""
        if self.length + count > self.capacity:
            raise ValueError(
                f"the cache has room for {self.capacity} positions; {self.length} are taken, {count} more came"
            )
        self.length += count
        return self.real[..., : self.length]

    def reorder(self, rows: Tensor) -> None:
        """Row i becomes what row `rows[i]` was. The mask stays: all beams of one prompt share it."""
        for store in self.stores:
            store.reorder(rows.to(torch.long))
