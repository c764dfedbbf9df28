"""What a fine-tuning costs elsewhere, in nats a token: on plain English, and on the model's own answers to a chat.

An answer is what the untouched model says greedily to a fixed list of prompts, made once in a run. How likely it still is
after fine-tuning says how far the model has gone from what it was, where nobody asked it to.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from lessons.chat.model import ChatModel, open_model
from lessons.chat.training.measures import nats
from lessons.chat.training.merged import answer_loss
from lessons.chat.training.tuning import quickly
from lessons.task.machine import best_device
from transformer import generate
from transformer.learning.batching import pad
from transformer.learning.formats import read_json, write_json
from transformer.learning.texts import Text

ENGLISH = (
    "The lighthouse stood at the end of a narrow path, and in winter the waves reached its lowest windows. Nobody had "
    "lived there since the lamp was made to turn by itself, but the door was painted every spring.",
    "Bread rises because yeast turns sugar into gas, and the dough is elastic enough to hold it. If it is left too long, "
    "the bubbles become so large that they break, and the loaf falls together in the oven.",
)
"""Plain English that is no task, and was written for this file."""
PROMPTS = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "Write one sentence about a cat.",
    "How does a bicycle stay upright?",
    "Give me a name for a small bakery.",
    "What should I pack for a day at the sea?",
    "Explain what a library is to a child.",
    "Who wrote Romeo and Juliet?",
)
LONGEST = 40
"""Of an answer, in tokens."""


def own_answers(folder: Path, model: Path, prompts: Sequence[str] = PROMPTS) -> list[Text]:
    """The answers that are kept in `folder`; of another model or to other prompts, they are made anew and kept there."""
    file, about = folder / "answers.json", {"model": str(model), "prompts": list(prompts), "longest": LONGEST}
    kept = read_json(file) if file.is_file() else {}
    if kept.get("about") != about:
        kept = {"about": about, "answers": answered(model, prompts)}
        write_json(file, kept)
    return [(ids, learnt) for ids, learnt in kept["answers"]]


def answered(model: Path, prompts: Sequence[str]) -> list[Text]:
    """All prompts at once, padded in front."""
    chat = open_model(model, attention="fused")
    chat.model.to(best_device()).eval()
    asked = [chat.ids([{"role": "user", "content": prompt}]) for prompt in prompts]
    source = pad([ids[::-1] for ids in asked], chat.config.pad_id).flip(1).to(best_device())
    with quickly():
        said = generate(chat.model, source, LONGEST)[:, source.shape[1] :].tolist()
    answers = [up_to_the_end(ids, chat.config.eos_id) for ids in said]
    return [
        ([*ids, *answer], [False] * len(ids) + [True] * len(answer)) for ids, answer in zip(asked, answers, strict=True)
    ]


def up_to_the_end(ids: list[int], end: int) -> list[int]:
    """An answer and its end; one that was cut off has none."""
    return ids[: ids.index(end) + 1] if end in ids else ids


@torch.inference_mode()
def forgetting(chat: ChatModel, answers: Sequence[Text]) -> dict[str, float]:
    return {"english_nats": nats(chat, ENGLISH), "chat_nats": answer_loss(chat, answers)}
