"""A batch as a model reads it, whoever's it is: what goes in, which token each logit must say, which of them count.

    Batch(source, inputs, labels)                      ours; padding does not count
    {"source", "inputs", "labels"}                     the same as a mapping; a label of -100 does not count
    {"input_ids", "attention_mask", "labels"}          of transformers, or of our decoder-only models, which shift themselves

A mapping may hold "answers" beside them: True where a token is of the answer and not of the prompt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from rich.text import Text
from torch import Tensor, nn

from transformer.learning.batching import Batch

IGNORED = -100


@dataclass(frozen=True)
class Reading:
    """`labels[b, t]` is what the logits at (b, t) must say, IGNORED where nothing is asked.

    `inputs`    the token that is read at (b, t)
    `real`      False where (b, t) is asked for a token that is padding
    `answers`   True where the asked token is of the answer; None where nobody says
    `causal`    the model reads one text, and labels are that text, one step on
    """

    batch: Mapping[str, Tensor]
    inputs: Tensor
    labels: Tensor
    real: Tensor
    answers: Tensor | None
    causal: bool

    @property
    def counted(self) -> Tensor:
        return self.labels != IGNORED

    def row(self, index: int, pad_id: int = -1) -> "Reading":
        """One row alone, without the padding that its neighbours asked for; `pad_id` in front of a text is padding too."""
        alone = {name: tensor[index : index + 1] for name, tensor in self.batch.items()}
        if self.causal:
            text = (alone["input_ids"] != pad_id).cumsum(1) > 0
            kept = self.attended(alone) & text
            return read({name: tensor[:, kept[0]] for name, tensor in alone.items()}, True, -1, -1)
        length = max(1, int(self.real[index].sum()))
        for name in ("inputs", "labels"):
            alone[name] = alone[name][:, :length]
        sources = int((alone["source"][0] != alone["pad"][0]).sum())
        alone["source"] = alone["source"][:, : max(1, sources)]
        return read(alone, False, int(alone["pad"][0]), -1)

    @staticmethod
    def attended(batch: Mapping[str, Tensor]) -> Tensor:
        mask = batch.get("attention_mask")
        return torch.ones_like(batch["input_ids"], dtype=torch.bool) if mask is None else mask.bool()


def read(batch: Batch | Mapping[str, Any], causal: bool, pad_id: int, eos_id: int) -> Reading:
    """Raises ValueError for a batch of no known kind."""
    if isinstance(batch, Batch):
        labels = batch.labels.masked_fill(batch.labels == pad_id, IGNORED)
        batch = {"source": batch.source, "inputs": batch.inputs, "labels": labels}
    tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
    if "input_ids" in tensors and "labels" in tensors and causal:
        real, answers = Reading.attended(tensors)[:, 1:], tensors.get("answers")
        labels = tensors["labels"][:, 1:]
        return Reading(
            tensors, tensors["input_ids"][:, :-1], labels, real, None if answers is None else answers[:, 1:], True
        )
    if "source" in tensors and "labels" in tensors:
        tensors.setdefault("pad", torch.full((len(tensors["source"]),), pad_id))
        real = within(tensors["labels"], tensors["inputs"], pad_id)
        return Reading(tensors, tensors["inputs"], tensors["labels"], real, tensors.get("answers"), False)
    raise ValueError(f"a batch holds source, inputs and labels, or input_ids and labels; this one {sorted(tensors)}")


def within(labels: Tensor, inputs: Tensor, pad_id: int) -> Tensor:
    """True up to the last position at which the row reads or is asked something that is no padding."""
    something = ((labels != pad_id) & (labels != IGNORED)) | (inputs != pad_id)
    return something.flip(1).cumsum(1).flip(1) > 0


def logits_of(model: nn.Module, reading: Reading, theirs: bool) -> Tensor:
    """(batch, time, vocab), aligned with `reading.labels`. `theirs`: a model of transformers."""
    batch = reading.batch
    if not reading.causal:
        return model(batch["source"], batch["inputs"])
    if theirs:
        given = {name: batch[name] for name in ("attention_mask", "position_ids") if name in batch}
        found = model(batch["input_ids"], **given).logits
    else:
        found = model(batch["input_ids"], Reading.attended(batch))
    return found[:, -batch["input_ids"].shape[1] :][:, :-1]


def token_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p of each asked token, 0 where nothing is asked."""
    return F.cross_entropy(logits.float().mT, labels, ignore_index=IGNORED, reduction="none")


def coloured(reading: Reading, index: int, say: Callable[[int], str] = str, pad_id: int = -1) -> Text:
    """One row as the loss sees it: what is asked for, token by token. Green carries loss, grey does not, red is padding that does.

    `say`   a token's id → its text; a tokenizer's decode, for one
    """
    line = Text()
    labels, counted, real = reading.labels[index], reading.counted[index], reading.real[index]
    asked = labels if not reading.causal else reading.batch["input_ids"][index, 1:]
    for place in range(len(labels)):
        token = int(asked[place])
        if token == IGNORED:  # ours: what is not asked is not in the labels
            token = pad_id
        style = ("green" if bool(real[place]) else "red") if bool(counted[place]) else "bright_black"
        line.append(f"{say(token)} ", style=style)
    return line
