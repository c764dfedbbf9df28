"""The probe of the answer mask: conversations drawn at random, in the letters of a small tokenizer."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from transformer.learning import answer_mask

LETTERS = "abcd<>"
SPECIAL = 99


@dataclass
class Encoded:
    ids: list[int]


class Pairs:
    """Two letters are a token where they are neighbours in the alphabet, else one; a special token stands in front."""

    def encode(self, sequence: str, *, add_special_tokens: bool = True) -> Encoded:
        ids = [SPECIAL] if add_special_tokens else []
        while sequence:
            first, second = LETTERS.index(sequence[0]), LETTERS.find(sequence[1:2] or "?")
            long = second == first + 1
            ids.append(10 * first + second if long else first)
            sequence = sequence[1 + long :]
        return Encoded(ids)


def encoded_parts(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for name, count in {"a conversation": 2 * draw.size(2, 4), "one part": 1, "no part": 0}.items():
        parts = [(text(draw), bool(place % 2)) for place in range(count)]
        parts += [("ab", False), ("cd", True), ("ba", True), ("", False)] if count > 1 else []
        ids, mask = answer_mask.encode_parts(Pairs(), parts)
        found |= {f"{name}: the ids": torch.tensor(ids), f"{name}: the mask": torch.tensor(mask)}
    return found


def text(draw: Draw) -> str:
    return "".join(LETTERS[place] for place in draw.ids(0, len(LETTERS), draw.size(1, 7)).tolist())
