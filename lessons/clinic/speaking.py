"""The world of the cases about tokens where `make smollm` was run: SmolLM2, its chat template, and a few answers to learn.

The model has two habits that make illnesses by themselves: its padding is its end token, and its template marks no answer.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lessons.chat.model import ChatModel, open_model
from lessons.chat.smollm import smollm_file
from lessons.chat.training.conversations import texts_of
from lessons.clinic.world import Example, World, in_front
from peft import LoraConfig, get_peft_model

ASKED = (
    ("What is the capital of Spain?", "Madrid."),
    ("Is water wet?", "Yes, it is."),
    ("Name a fruit.", "An apple is a fruit."),
    ("How many legs has a spider?", "A spider has eight legs."),
    ("What is two and two?", "Four."),
    ("Which colour has the sky?", "On a clear day the sky is blue."),
)
SIZES = (2, 4)
END = 2
"""`<|im_end|>`. The published tokenizer fills rows up with it too; the GGUF names another token."""
RATE = 1e-3


@dataclass
class Speaking(World):
    """As it was published it is in use; an adapter is put on it where the case trains."""

    def tuned(self) -> Any:
        return self.base()

    def say(self, token: int) -> str:
        """A token's text, a line break as one sees it."""
        found = self.chat.tokenizer.decode([token], skip_special_tokens=False)
        return str(found).replace("\n", "↵").strip() or "␣"


def at_hand() -> bool:
    try:
        smollm_file()
    except FileNotFoundError:
        return False
    return True


def smollm() -> Speaking:
    """Raises FileNotFoundError where `make smollm` did not run."""
    chat = open_model(smollm_file(), attention="fused", pad_id=END)
    conversations = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}] for question, answer in ASKED
    ]
    batches = batches_of(texts_of(chat, conversations), chat.config.pad_id)
    config = LoraConfig(r=8, lora_alpha=16, target_modules=("q_proj", "v_proj"))
    return Speaking(
        base=lambda: copy.deepcopy(chat.model).eval(),
        adapt=lambda base: get_peft_model(base, config),
        bare=lambda base: get_peft_model(base, config),
        folder=Path(),
        batches=batches,
        other=batches[:1],
        rate=RATE,
        chat=chat,
        untemplated=untemplated(chat),
    )


def untemplated(chat: ChatModel) -> list[Example]:
    """The same questions and answers, one behind the other: what is learnt is not what will be asked."""
    pairs = [[(f"{question}\n", False), (answer + chat.template.end, True)] for question, answer in ASKED]
    cut = [[(chat.tokenizer.encode(text).ids, learnt) for text, learnt in parts] for parts in pairs]
    texts = [([id for ids, _ in parts for id in ids], [learnt for ids, learnt in parts for _ in ids]) for parts in cut]
    return batches_of(texts, chat.config.pad_id)


def batches_of(texts: list[Any], pad: int) -> list[Example]:
    found, start = [], 0
    for size in SIZES:
        found.append(in_front(texts[start : start + size], pad))
        start += size
    return found
