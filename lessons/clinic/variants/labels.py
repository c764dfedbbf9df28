"""What may be wrong with a batch's labels: each takes a batch and gives another, the first one stays."""

from collections.abc import Callable

import torch
from torch import Tensor

from lessons.clinic.reading import IGNORED
from lessons.clinic.variants.published import EOS, PAD

Batch = dict[str, Tensor]


def behind(batch: Batch) -> Batch:
    """The same rows, padded at their end."""
    moved: dict[str, Tensor] = {}
    lengths = batch["attention_mask"].sum(1).tolist()
    for name, tensor in batch.items():
        moved[name] = torch.stack([row.roll(int(length)) for row, length in zip(tensor, lengths, strict=True)])
    return moved


def over_padding(batch: Batch) -> Batch:
    return {**batch, "labels": torch.where(batch["attention_mask"] == 0, PAD, batch["labels"])}


def unshifted(batch: Batch) -> Batch:
    return {**batch, "labels": torch.where(batch["labels"] == IGNORED, IGNORED, batch["input_ids"].roll(1, 1))}


def too_late(batch: Batch) -> Batch:
    moved = torch.where(batch["labels"] == IGNORED, IGNORED, batch["input_ids"].roll(-1, 1))
    return {**batch, "labels": moved.masked_fill(batch["input_ids"] == EOS, IGNORED)}


def endless(batch: Batch) -> Batch:
    return {**batch, "labels": batch["labels"].masked_fill(batch["labels"] == EOS, IGNORED)}


def answers(batch: Batch) -> Batch:
    """What the loss should be taken on is said beside the labels."""
    return {**batch, "answers": batch["labels"] != IGNORED}


def asks_all(batch: Batch) -> Batch:
    return {**batch, "labels": torch.where(batch["attention_mask"].bool(), batch["input_ids"], IGNORED)}


def one_of_the_prompt(batch: Batch) -> Batch:
    """The cut between question and answer is one token early."""
    early = batch["answers"].roll(-1, 1) & batch["attention_mask"].bool()
    return {**batch, "labels": torch.where(early, batch["input_ids"], batch["labels"])}


def in_pairs(step: int) -> Callable[[Batch], Batch]:
    """Of a batch with source, inputs and labels: labels that come so many places late."""

    def change(batch: Batch) -> Batch:
        if step < 0:
            return {**batch, "labels": torch.where(batch["labels"] == IGNORED, IGNORED, batch["inputs"])}
        late = batch["labels"].roll(-step, 1)
        late[:, -step:] = IGNORED
        return {**batch, "labels": torch.where(batch["labels"] == IGNORED, IGNORED, late)}

    return change
