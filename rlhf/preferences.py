"""Preferences: prompts with two responses each, of which a judge liked one better.

A file of preferences has one JSON object a line: {"source": [ids], "chosen": [ids], "rejected": [ids], ...}.
Lines are only ever added, so a person who stops in the middle loses nothing but the pair on the screen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from rlhf.responses import response_mask, trimmed
from transformer.learning.batching import pad
from transformer.learning.reading import parse_json

Preference = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""(source, chosen, rejected), each with its EOS, none with a bos."""


@dataclass(frozen=True)
class Preferences:
    """Padded ids, row by row, each response with its EOS.

    `source`               the prompts
    `chosen`, `rejected`   the response that the judge liked, and the other one

    Raises ValueError for no pairs, for sides that are not padded to one width, and for a pair of equal sides: it says
    nothing, and its gradient is noise.
    """

    source: Int[Tensor, "batch source"]
    chosen: Int[Tensor, "batch time"]
    rejected: Int[Tensor, "batch time"]

    def __post_init__(self) -> None:
        if not len(self.source):
            raise ValueError("there are no pairs")
        if self.chosen.shape != self.rejected.shape or len(self.source) != len(self.chosen):
            shapes = f"chosen {tuple(self.chosen.shape)} and rejected {tuple(self.rejected.shape)}"
            raise ValueError(f"{shapes} are not padded to one width, a row for each of {len(self.source)} sources")
        if equal := (self.chosen == self.rejected).all(dim=1).nonzero()[:, 0].tolist():
            raise ValueError(f"both sides are the same in the pairs {equal[:8]}: leave such pairs out")

    def __len__(self) -> int:
        return len(self.source)

    def check_ids(self, vocab_size: int) -> None:
        """Raises ValueError, naming the side, for ids that a model of this vocabulary does not have."""
        for name, ids in (
            ("sources", self.source),
            ("chosen responses", self.chosen),
            ("rejected responses", self.rejected),
        ):
            if ids.min() < 0 or ids.max() >= vocab_size:
                said = f"from {int(ids.min())} to {int(ids.max())}; the vocabulary is 0..{vocab_size - 1}"
                raise ValueError(f"the preferences' {name} hold ids {said}")

    def rows(self, index: Int[Tensor, " some"]) -> "Preferences":
        """Some of the pairs."""
        return Preferences(*(getattr(self, field.name)[index] for field in fields(self)))

    def stacked(self, eos_id: int, pad_id: int) -> tuple[Int[Tensor, "both source"], Int[Tensor, "both shorter"]]:
        """Sources and responses, all chosen ones and then all rejected ones, without columns that only pad."""
        both = torch.cat([self.chosen, self.rejected])
        last = int(response_mask(both, eos_id, pad_id).any(dim=0).nonzero().max())
        return trimmed(self.source, eos_id, pad_id).repeat(2, 1), both[:, : last + 1]

    def to(self, device: torch.device) -> "Preferences":
        """The same on another device."""
        return Preferences(*(getattr(self, field.name).to(device) for field in fields(self)))


def collate_preferences(pairs: Sequence[Preference], pad_id: int, pad_source_in_front: bool = False) -> Preferences:
    """Pairs of ids as tensors, both sides of one width. A decoder-only model wants its sources padded in front.

    Raises ValueError for no pairs, and for an empty source or response.
    """
    if not pairs:
        raise ValueError("there are no pairs")
    for row, pair in enumerate(pairs):
        if not all(len(side) for side in pair):
            raise ValueError(f"pair {row} has an empty source or an empty response; a response holds at least its EOS")
    sources = [source[::-1] if pad_source_in_front else source for source, _, _ in pairs]
    source = pad(sources, pad_id)
    both = pad([chosen for _, chosen, _ in pairs] + [rejected for _, _, rejected in pairs], pad_id)
    return Preferences(source.flip(1) if pad_source_in_front else source, both[: len(pairs)], both[len(pairs) :])


def append_preference(
    path: str | Path, source: Sequence[int], chosen: Sequence[int], rejected: Sequence[int], **more: Any
) -> None:
    """Adds one line; `more` is kept with it and not read back."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(
        {"source": list(source), "chosen": list(chosen), "rejected": list(rejected), **more}, ensure_ascii=False
    )
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_preferences(path: str | Path) -> list[Preference]:
    """All pairs of a file. Raises FileNotFoundError or ValueError, with the line's number, for what is no pair."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file of preferences {path}")
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    pairs = [read_line(line, number, path) for number, line in enumerate(lines, start=1)]
    if not pairs:
        raise ValueError(f"{path} holds no pairs")
    return pairs


def read_line(line: str, number: int, path: str | Path) -> Preference:
    """The pair of one line. Raises ValueError, with its number, for what is no pair."""
    entry = parse_json(line, f"{path}, line {number}", "remove the line")
    entry = entry if isinstance(entry, dict) else {}
    if not all(is_ids(entry.get(name)) for name in ("source", "chosen", "rejected")):
        raise ValueError(f'{path}, line {number} needs "source", "chosen" and "rejected", each a list of token ids')
    return entry["source"], entry["chosen"], entry["rejected"]


def is_ids(side: Any) -> bool:
    """Whether it is a list of token ids, and not empty."""
    return isinstance(side, list) and bool(side) and all(type(token) is int and token >= 0 for token in side)
