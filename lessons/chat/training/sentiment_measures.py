"""Sentiment by instruction, measured: does the model say the right word, and does it rank the labels rightly?

    exact        the greedy answer is the label and its end
    ranked       the label is the likeliest of the three
    calibrated   ... after the mean log-probability of each label has been taken away:

        argmax over labels of  log p(label | x) - mean over x' of log p(label | x')

The mean is over development sentences, as many of each label. A model that knows the feeling but likes one word more is right
when calibrated: what fine-tuning adds is to be held against that. It is contextual calibration (arXiv 2102.09690) with
sentences in the place of empty ones, as batch calibration has it (arXiv 2309.17249).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lessons.chat.model import ChatModel
from lessons.chat.training.measures import answer_logits
from lessons.chat.training.sentiment import LABELS
from lessons.chat.training.spelling import Item

SIDES = ("exact", "ranked", "calibrated")


def first_tokens(chat: ChatModel) -> list[int]:
    """The token that each label begins with. Raises ValueError where two begin alike: then it cannot tell them apart."""
    found = [chat.tokenizer.encode(label, add_special_tokens=False).ids[:1] for label in LABELS]
    first = [id for ids in found for id in ids]
    if len(set(first)) < len(LABELS):
        raise ValueError(
            f"the model's tokenizer does not tell {', '.join(LABELS)} apart by their first tokens: {found}"
        )
    return first


def asked(chat: ChatModel, items: Sequence[Item]) -> tuple[Float[Tensor, "items labels"], list[bool]]:
    """Of each item the log-probability of each label's first token, and whether the greedy answer is right."""
    labels = first_tokens(chat)
    scores: dict[int, tuple[Tensor, bool]] = {}
    for index, logits, wanted in answer_logits(chat, items):
        right = bool((logits.argmax(dim=-1) == wanted).all())
        scores[index] = logits[0].float().log_softmax(dim=-1)[labels].cpu(), right
    rows = [scores[index] for index in range(len(items))]
    return torch.stack([row for row, _ in rows]), [right for _, right in rows]


def sentiment_scores(
    chat: ChatModel, items: Sequence[Item], development: Sequence[Item]
) -> dict[str, dict[str, float]]:
    """For each domain its number of items and the shares of SIDES."""
    log_probs, exact = asked(chat, items)
    usual = asked(chat, development)[0].mean(dim=0)
    wanted = [LABELS.index(item.answer) for item in items]
    ranked, calibrated = (found.argmax(dim=-1).tolist() for found in (log_probs, log_probs - usual))
    columns = zip(exact, ranked, calibrated, wanted, strict=True)
    rights = [(said, first == label, fair == label) for said, first, fair, label in columns]
    found: dict[str, list[tuple[bool, bool, bool]]] = {}
    for item, right in zip(items, rights, strict=True):
        found.setdefault(item.kind, []).append(right)
    return {
        kind: {"items": len(rows)}
        | {side: sum(column) / len(rows) for side, column in zip(SIDES, zip(*rows, strict=True), strict=True)}
        for kind, rows in found.items()
    }
