"""Texts for a decoder-only model, of which a part is learnt: in a conversation the answers, and nothing that was asked.

    L = sum over the learnt tokens t of  -log p(x_t | x_0 ... x_{t-1})          divided by how many they are

Logits are computed at the places before learnt tokens alone: with a vocabulary of 49,152 they are the largest tensor.

    padded   a row for each text, filled up on the right: what is causal never sees it
    packed   several texts in a row; none sees another, and the positions of each begin at 0: the same loss, less padding
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from transformer.config import TransformerConfig
from transformer.learning.batching import epoch_batches, pad, seed_of

Text = tuple[Sequence[int], Sequence[bool]]
"""The ids, and of each whether it is learnt."""
NO_LABEL = -1


@dataclass(frozen=True)
class TextBatch:
    """Rows of ids, one text in each or several.

    `documents`   of each token the number of its text in the row, padding one more; None where each row is one text
    `before`      the places whose next token is learnt; `labels` are these next tokens, row by row
    """

    source: Int[Tensor, "batch time"]
    documents: Int[Tensor, "batch time"] | None
    before: Bool[Tensor, "batch time"]
    labels: Int[Tensor, "1 learnt"]

    def to(self, device: torch.device) -> "TextBatch":
        documents = None if self.documents is None else self.documents.to(device)
        return TextBatch(self.source.to(device), documents, self.before.to(device), self.labels.to(device))

    def logits(self, network: nn.Module, starts: Sequence[Sequence[int]] = ()) -> Float[Tensor, "1 learnt vocab"]:
        """What the network says of `labels`. Raises ValueError for `starts`, which texts do not have."""
        if starts:
            raise ValueError("a text begins at position 0: leave first_position at 0")
        logits: Tensor = network(self.source, self.documents, self.before)
        return logits


class NextTokens(nn.Module):
    """The logits of a decoder-only model at the places that are asked for."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(
        self,
        source: Int[Tensor, "batch time"],
        documents: Int[Tensor, "batch time"] | None,
        before: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "1 learnt vocab"]:
        """The output projection of the states where `before` is True, row by row."""
        everything = torch.ones_like(source, dtype=torch.bool)  # padding stands behind, where nothing looks at it
        states = self.model.states(source, real=everything, documents=documents)  # type: ignore[operator]
        logits: Tensor = self.model.output(states[before])  # type: ignore[operator]
        return logits[None]


@dataclass(frozen=True)
class Texts:
    """Texts as examples of the training loop.

    `width`   of packed rows, at least the longest text; None: a row for each text

    Raises ValueError for a text without a learnt token, one whose first token is learnt, and one longer than `width`.
    """

    texts: Sequence[Text]
    width: int | None = None

    def __post_init__(self) -> None:
        for number, (ids, learnt) in enumerate(self.texts):
            if len(ids) != len(learnt) or not any(learnt) or learnt[0]:
                raise ValueError(
                    f"text {number} has {len(ids)} ids and {sum(learnt)} of {len(learnt)} learnt: there must be one, and "
                    "never the first, which nothing stands before"
                )
            if self.width is not None and len(ids) > self.width:
                raise ValueError(f"text {number} has {len(ids)} tokens, a row of packed texts {self.width}")

    def __len__(self) -> int:
        return len(self.texts)

    def batches(self, max_tokens: int, seed: int, epoch: int) -> list[list[int]]:
        """Texts of about one length together where they are padded, in any order where they are packed."""
        if self.width is None:
            return epoch_batches([(ids, ids) for ids, _ in self.texts], max_tokens, seed, epoch)
        generator = torch.Generator().manual_seed(seed_of(seed, epoch))
        found: list[list[int]] = []
        room = 0
        for index in torch.randperm(len(self.texts), generator=generator).tolist():
            length = len(self.texts[index][0])
            if not found or length > room:
                found.append([])
                room = max_tokens
            found[-1].append(index)
            room -= length
        return found

    def tokens(self, indices: Sequence[int]) -> int:
        return sum(sum(self.texts[index][1]) for index in indices)

    def collate(self, indices: Sequence[int], shape: TransformerConfig) -> TextBatch:
        """The texts in rows, in their order where they are padded."""
        texts = [self.texts[index] for index in indices]
        rows = [[text] for text in texts] if self.width is None else packed_rows(texts, self.width)
        return text_batch(rows, shape.pad_id)

    def label_padding(self, shape: TransformerConfig) -> int:
        return NO_LABEL

    def network(self, model: nn.Module) -> nn.Module:
        return NextTokens(model)


def packed_rows(texts: Sequence[Text], width: int) -> list[list[Text]]:
    """First fit, the longest first: each text goes into the first row that has room for it."""
    rows: list[list[Text]] = []
    for text in sorted(texts, key=lambda text: -len(text[0])):
        fits = (row for row in rows if sum(len(ids) for ids, _ in row) + len(text[0]) <= width)
        row = next(fits, None)
        if row is None:
            rows.append([text])
        else:
            row.append(text)
    return rows


def text_batch(rows: Sequence[Sequence[Text]], pad_id: int) -> TextBatch:
    """Rows of texts as matrices, filled up on the right.

    `source` holds the ids of a row's texts one after the other, then `pad_id`; the rest is as TextBatch says: `documents`
    0, 0, 0, 1, 1, 2 for texts of three and two tokens and one of padding, or None where no row has two texts; `before`
    True where the *next* token is learnt; `labels` (1, learnt). An id that is `pad_id` may be learnt.
    """
    source = pad([[id for ids, _ in row for id in ids] for row in rows], pad_id)
    documents = None
    if any(len(row) > 1 for row in rows):
        numbers = [[number for number, (ids, _) in enumerate(row) for _ in ids] for row in rows]
        documents = torch.stack([filled(row, source.shape[1], row[-1] + 1) for row in numbers])
    learnt = torch.stack(
        [filled([on for _, text in row for on in text], source.shape[1], False) for row in rows]
    ).bool()
    before = torch.zeros_like(learnt)
    before[:, :-1] = learnt[:, 1:]
    return TextBatch(source, documents, before, source[learnt][None])


def filled(row: Sequence[int], width: int, value: int) -> Int[Tensor, " time"]:
    return torch.tensor([*row, *[value] * (width - len(row))], dtype=torch.long)
