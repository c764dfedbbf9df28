"""Lesson 30: the parts of a conversation in tokens, and the loss and the gradient of each."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lessons.chat.model import ChatModel
from lessons.chat.training.spelling import Item
from transformer.learning.answer_mask import encode_parts
from transformer.learning.texts import Text, Texts

Kinds = tuple[list[int], list[str]]
"""A conversation's ids, and of each what it belongs to: "template", "question", "answer", or "end", the answer's last."""
LEARNT = {
    "answer": ("answer", "end"),
    "whole text": ("template", "question", "answer", "end"),
    "no end": ("answer",),
}
"""What the loss is taken on, in three runs. "no end" is what happens where padding is told by its id and pad is eos."""
ROWS = 8


def kinds_of(chat: ChatModel, items: Sequence[Item]) -> list[Kinds]:
    """Each item as a conversation. Nothing is read behind the answer's end."""
    found: list[Kinds] = []
    for item, (asked, answered, _) in zip(items, chat.template.parts([item.messages() for item in items]), strict=True):
        ids, learnt = encode_parts(chat.tokenizer, [asked, answered])
        start = asked[0].index(item.question)
        span = range(start, start + len(item.question))
        places = chat.tokenizer.encode(asked[0], add_special_tokens=False).offsets
        prompt = ["question" if begin in span else "template" for begin, _ in places]
        found.append((ids, [*prompt, *["answer"] * (sum(learnt) - 1), "end"]))
    return found


def of_kind(parts: Sequence[Kinds], *wanted: str) -> list[Text]:
    """The texts of which these parts are learnt; the first token never is: nothing stands before it."""
    return [(ids, [False, *(kind in wanted for kind in kinds[1:])]) for ids, kinds in parts]


def summed(chat: ChatModel, texts: Sequence[Text], width: int | None = None, apart: bool = True) -> Tensor:
    """The loss over the learnt tokens; with `apart` False packed texts see those that stand before them."""
    examples = Texts(texts, width)
    batch = examples.collate(range(len(texts)), chat.config)
    if not apart:
        batch = replace(batch, documents=None)
    logits = batch.logits(examples.network(chat.model))[0].float()
    return nn.functional.cross_entropy(logits, batch.labels[0], reduction="sum")


@torch.inference_mode()
def loss_of(chat: ChatModel, texts: Sequence[Text]) -> float:
    """Nats for each learnt token."""
    chat.model.eval()
    total = sum(float(summed(chat, texts[at : at + ROWS])) for at in range(0, len(texts), ROWS))
    return total / Texts(texts).tokens(range(len(texts)))


@torch.inference_mode()
def loss_of_kinds(chat: ChatModel, parts: Sequence[Kinds]) -> dict[str, float]:
    """Nats for each token of each kind."""
    chat.model.eval()
    found: dict[str, list[float]] = {}
    for at in range(0, len(parts), ROWS):
        some = parts[at : at + ROWS]
        examples = Texts(of_kind(some, "template", "question", "answer", "end"))
        batch = examples.collate(range(len(some)), chat.config)
        logits = batch.logits(examples.network(chat.model))[0].float()
        losses = nn.functional.cross_entropy(logits, batch.labels[0], reduction="none").tolist()
        for kind, loss in zip([kind for _, kinds in some for kind in kinds[1:]], losses, strict=True):
            found.setdefault(kind, []).append(loss)
    return {kind: sum(losses) / len(losses) for kind, losses in found.items()}


def pulls(chat: ChatModel, parts: Sequence[Kinds]) -> dict[str, Any]:
    """The gradient of the summed loss of prompt and of answer: the size of each, and the cosine between them."""
    chat.model.eval()
    found = {}
    weights = [parameter for parameter in chat.model.parameters() if parameter.requires_grad]
    for name, kinds in {"prompt": ("template", "question"), "answer": ("answer", "end")}.items():
        texts = of_kind(parts, *kinds)
        for at in range(0, len(texts), ROWS):
            summed(chat, texts[at : at + ROWS]).backward()
        found[name] = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
        chat.model.zero_grad()
    prompt, learnt = found.values()
    return {
        "prompt": float(prompt.norm()),
        "answer": float(learnt.norm()),
        "cosine": float(nn.functional.cosine_similarity(prompt, learnt, dim=0)),
    }


@torch.inference_mode()
def in_sight(chat: ChatModel, texts: Sequence[Text], width: int) -> dict[str, Any]:
    """Nats per learnt token of the same texts in rows of their own, packed, and packed in sight of one another."""
    chat.model.eval()
    count = Texts(texts).tokens(range(len(texts)))
    rows = len(Texts(texts, width).collate(range(len(texts)), chat.config).source)
    longest = max(len(ids) for ids, _ in texts)
    return {
        "alone": loss_of(chat, texts),
        "packed": float(summed(chat, texts, width)) / count,
        "in sight": float(summed(chat, texts, width, apart=False)) / count,
        "real": sum(len(ids) for ids, _ in texts),
        "padded places": len(texts) * longest,
        "packed places": rows * width,
    }
