"""Batches: pairs of about one length together, so that little is spent on padding.

A batch holds at most `max_tokens` target tokens, padding counted. The order is drawn anew each epoch from (seed, epoch),
so that a run that was interrupted finds its way back to the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Batch:
    """Padded ids. `inputs` is the target behind `bos`; `labels` is the target itself, one step ahead of it."""

    source: Int[Tensor, "batch source"]
    inputs: Int[Tensor, "batch target"]
    labels: Int[Tensor, "batch target"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(self.source.to(device), self.inputs.to(device), self.labels.to(device))


def pad(rows: Sequence[Sequence[int]], pad_id: int) -> Int[Tensor, "batch time"]:
    """Rows of unequal length as one matrix, padded on the right."""
    if not rows or not all(len(row) for row in rows):
        raise ValueError(f"cannot pad an empty batch or an empty row: lengths {[len(row) for row in rows]}")
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[pad_id] * (width - len(row))] for row in rows], dtype=torch.long)


def collate(pairs: Sequence[Pair], pad_id: int, bos_id: int) -> Batch:
    """Teacher forcing: the decoder reads bos, y_1, ..., y_{n-1} and must say y_1, ..., y_n (y_n is eos).

    Three matrices of ids, (batch, longest row), each filled up on the right with `pad_id`.
    """
    return Batch(
        source=pad([source for source, _ in pairs], pad_id),
        inputs=pad([[bos_id, *target[:-1]] for _, target in pairs], pad_id),
        labels=pad([target for _, target in pairs], pad_id),
    )


def epoch_batches(pairs: Sequence[Pair], max_tokens: int, seed: int, epoch: int) -> list[list[int]]:
    """The indices of each batch of one epoch, in an order that depends on nothing but the arguments."""
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1, not {max_tokens}")
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    shuffled = torch.randperm(len(pairs), generator=generator).tolist()
    shuffled.sort(key=lambda index: (len(pairs[index][0]), len(pairs[index][1])))  # stable: ties stay shuffled
    batches: list[list[int]] = []
    width = 0
    for index in shuffled:
        width = max(width, len(pairs[index][1]))
        if batches and width * (len(batches[-1]) + 1) <= max_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
            width = len(pairs[index][1])
    order = torch.randperm(len(batches), generator=generator).tolist()
    return [batches[index] for index in order]
