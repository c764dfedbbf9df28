"""What a model knows of a task: is its greedy answer exactly right, and where it is not, what is wrong?

    exact      argmax = reference at every place of the answer: the same as the greedy answer being the reference
    form       ... at every place but those of the words that are to change: it repeats the sentence and stops
    spelling   ... at every place of the words that are to change

One forward pass tells: a place is asked with the reference before it, as greedy decoding would have it as long as it is right.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lessons.chat.model import ChatModel
from lessons.chat.training.conversations import texts_of
from lessons.chat.training.spelling import Item
from transformer.learning.texts import Texts

ROWS = 16
SIDES = ("exact", "form", "spelling")


@torch.inference_mode()
def answer_logits(chat: ChatModel, items: Sequence[Item]) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Of each item its number, the logits at each place of its answer and end, and the token that stands there."""
    chat.model.eval()
    examples = Texts(texts_of(chat, [item.messages() for item in items]))
    order = sorted(range(len(items)), key=lambda index: len(examples.texts[index][0]))
    for start in range(0, len(order), ROWS):
        some = order[start : start + ROWS]
        batch = examples.collate(some, chat.config).to(device_of(chat))
        counts = [examples.tokens([index]) for index in some]
        logits = batch.logits(examples.network(chat.model))[0].split(counts)
        yield from zip(some, logits, batch.labels[0].split(counts), strict=True)


def right_places(chat: ChatModel, items: Sequence[Item]) -> list[list[bool]]:
    """Of each item's answer and end, token by token: would the model say it after what stands before it?"""
    found = {index: (logits.argmax(dim=-1) == wanted).tolist() for index, logits, wanted in answer_logits(chat, items)}
    return [found[index] for index in range(len(items))]


def changed_tokens(chat: ChatModel, item: Item) -> list[bool]:
    """Of each token of the answer and its end: does it write a word that differs from the question's?"""
    asked = item.question[-len(item.question.split(": ", 1)[-1]) :].split(" ")
    words = list(re.finditer(r"\S+", item.answer))
    spans = [word.span() for word, before in zip(words, asked, strict=False) if word.group() != before]
    offsets = chat.tokenizer.encode(item.answer + chat.template.end, add_special_tokens=False).offsets
    return [any(begin < stop and end > start for start, stop in spans) for begin, end in offsets]


def spelling_scores(chat: ChatModel, items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """For each kind its number of items and the shares of SIDES; `spelling` is 1 where nothing is to change."""
    scores: dict[str, Any] = {}
    for item, right in zip(items, right_places(chat, items), strict=True):
        changed = changed_tokens(chat, item)
        sides = (
            all(right),
            all(on for on, new in zip(right, changed, strict=True) if not new),
            all(on for on, new in zip(right, changed, strict=True) if new),
        )
        scores.setdefault(item.kind, []).append(sides)
    return {
        kind: {"items": len(rows)}
        | {side: sum(column) / len(rows) for side, column in zip(SIDES, zip(*rows, strict=True), strict=True)}
        for kind, rows in scores.items()
    }


@torch.inference_mode()
def nats(chat: ChatModel, texts: Sequence[str]) -> float:
    """How surprised the model is by plain text, in nats a token: what fine-tuning has cost it."""
    chat.model.eval()
    total, count = 0.0, 0
    for text in texts:
        ids = torch.tensor([chat.tokenizer.encode(text, add_special_tokens=False).ids], device=device_of(chat))
        log_probs = chat.model(ids)[0, :-1].float().log_softmax(dim=-1)
        total -= float(log_probs.gather(-1, ids[0, 1:, None]).sum())
        count += ids.shape[1] - 1
    return total / count


def device_of(chat: ChatModel) -> torch.device:
    device: torch.device = next(chat.model.parameters()).device
    return device
