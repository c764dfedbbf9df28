"""Batches: pairs of about one length together, so that little is spent on padding.

A batch holds at most `max_tokens` target tokens, padding counted. The order is drawn anew each epoch from (seed, epoch),
so that a run that was interrupted finds its way back to the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from transformer.config import TransformerConfig

Pair = tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class Batch:
    """Padded ids. `inputs` is the target behind `bos`; `labels` is the target itself, one step ahead of it."""

    source: Int[Tensor, "batch source"]
    inputs: Int[Tensor, "batch target"]
    labels: Int[Tensor, "batch target"]

    def to(self, device: torch.device) -> "Batch":
        return Batch(self.source.to(device), self.inputs.to(device), self.labels.to(device))

    def logits(self, network: nn.Module, starts: Sequence[Sequence[int]] = ()) -> Float[Tensor, "batch target vocab"]:
        """What the network says of `labels`; `starts`: where the sources begin, if not all at 0."""
        offset = {"offset": torch.tensor(starts, device=self.source.device)} if starts else {}
        logits: Tensor = network(self.source, self.inputs, **offset)
        return logits


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
    generator = torch.Generator().manual_seed(seed_of(seed, epoch))
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


def seed_of(seed: int, number: int) -> int:
    """What decides all that is drawn in this step or epoch; a seed may be as large as `time.time_ns()`."""
    return (seed * 1_000_003 + number) % 2**63


@runtime_checkable
class Examples(Protocol):
    """What the training loop asks of its examples: pairs of sequences here, texts of which a part is learnt in texts.py."""

    def __len__(self) -> int: ...

    def batches(self, max_tokens: int, seed: int, epoch: int) -> list[list[int]]:
        """The indices of each batch of an epoch."""

    def tokens(self, indices: Sequence[int]) -> int:
        """How many tokens of these examples count in the loss."""

    def collate(self, indices: Sequence[int], shape: TransformerConfig) -> Any:
        """A batch: `to(device)`, `logits(network, starts)` and `labels`."""

    def label_padding(self, shape: TransformerConfig) -> int:
        """The label that is none."""

    def network(self, model: nn.Module) -> nn.Module:
        """What a batch's `logits` calls."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of sequences as examples: every token of a target is learnt."""

    pairs: Sequence[Pair]

    def __len__(self) -> int:
        return len(self.pairs)

    def batches(self, max_tokens: int, seed: int, epoch: int) -> list[list[int]]:
        return epoch_batches(self.pairs, max_tokens, seed, epoch)

    def tokens(self, indices: Sequence[int]) -> int:
        return sum(len(self.pairs[index][1]) for index in indices)

    def collate(self, indices: Sequence[int], shape: TransformerConfig) -> Batch:
        return collate([self.pairs[index] for index in indices], shape.pad_id, shape.bos_id)

    def label_padding(self, shape: TransformerConfig) -> int:
        return shape.pad_id

    def network(self, model: nn.Module) -> nn.Module:
        return model
