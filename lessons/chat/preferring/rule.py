"""A reward that is checked and not learnt: is the answer the sentence, as it is spelled in Britain, and does it end?

    r(x, y) = 1   where y is the rewritten sentence, letter by letter, with its end        0   elsewhere

The rule is that of the task itself (spelling.py): a list of words. It needs no example answer from a person and no model.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lessons.chat.model import ChatModel
from lessons.chat.training.spelling import REQUEST, Item, rewritten
from lessons.data.spelling import read_spellings
from transformer.learning.batching import pad


class SpellingRule:
    """A judge as rlhf/rollout.py has them: (source, responses, mask) → one number for each row."""

    def __init__(self, chat: ChatModel, items: Sequence[Item]):
        self.chat = chat
        prompts = [chat.ids(item.messages()[:1]) for item in items]
        spellings = read_spellings()
        wanted = [rewritten(item.question.removeprefix(REQUEST), spellings) for item in items]
        self.wanted = dict(zip(map(tuple, prompts), wanted, strict=True))
        backwards = pad([ids[::-1] for ids in prompts], chat.config.pad_id)
        self.prompts: Int[Tensor, "prompts source"] = backwards.flip(1)
        """All of them, padded in front."""

    def __call__(
        self, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"], mask: Tensor
    ) -> Float[Tensor, " batch"]:
        """1 for each row that is right and ends."""
        rows = zip(source.tolist(), responses.tolist(), mask.tolist(), strict=True)
        return torch.tensor([self.right(*row) for row in rows], device=source.device)

    def right(self, source: list[int], response: list[int], real: list[bool]) -> float:
        config = self.chat.config
        asked = tuple(source[next(place for place, id in enumerate(source) if id != config.pad_id) :])
        said = [id for id, counts in zip(response, real, strict=True) if counts]
        return float(said[-1] == config.eos_id and self.chat.text(said) == self.wanted[asked])
