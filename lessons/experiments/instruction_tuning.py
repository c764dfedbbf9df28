"""Lesson 30's measurements: whose loss it is, what is learnt from which tokens, and what packed texts may see.

python -m lessons.experiments.instruction_tuning    measures SmolLM2 anew and keeps it (lessons/results/instruction_tuning.json)
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lessons.chat.answer import answer
from lessons.chat.model import ChatModel
from lessons.chat.smollm import smollm_file
from lessons.chat.training.measures import nats, spelling_scores
from lessons.chat.training.spelling import KINDS, REQUEST, Item, balanced, spelling_items
from lessons.chat.training.tuning import fine_tune, open_tuned, start_of
from lessons.data.feedback import load_ratings
from lessons.experiments.instruction_tuning_parts import LEARNT, in_sight, kinds_of, loss_of_kinds, of_kind, pulls
from lessons.experiments.language_model import TEXT
from lessons.task.machine import set_threads
from lessons.teaching import quick
from transformer.learning.formats import write_json
from transformer.learning.texts import Text

KEPT = Path(__file__).resolve().parents[1] / "results" / "instruction_tuning.json"
COMMAND = "python -m lessons.experiments.instruction_tuning"
SENTENCE = "Our neighbor painted the theater in his favorite color."
STEPS, HELD_OUT, PACKED = 8, 8, 512
PARTS = ("template", "question", "answer")


def items() -> tuple[list[Item], list[Item]]:
    """What is learnt from, and as many held-out items of each kind."""
    every = spelling_items(one.text for rated in load_ratings().values() for one in rated)
    tested = [item for item in every if item.part == "test"]
    return (
        balanced(every, "train", unchanged=80)[::3],
        [item for kind in KINDS for item in [one for one in tested if one.kind == kind][:HELD_OUT]],
    )


def says(chat: ChatModel) -> str:
    return answer(chat, [{"role": "user", "content": REQUEST + SENTENCE}], max_tokens=40).text


def state(chat: ChatModel, held_out: Sequence[Item]) -> dict[str, Any]:
    """What the model knows of the task, of its own end, and of English."""
    parts = kinds_of(chat, held_out)
    return {
        "exact": {kind: row["exact"] for kind, row in spelling_scores(chat, held_out).items()},
        "nats": loss_of_kinds(chat, parts),
        "text": nats(chat, [TEXT]),
        "says": says(chat),
    }


def learn(chat: ChatModel, texts: Sequence[Text], on_step: Callable[[int, float], None] | None = None) -> list[float]:
    """The LoRA learns these texts; the loss of every step."""
    return fine_tune(chat, "lora", texts, STEPS, start_of("lora"), on_step=on_step)


def measure(show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Whose loss it is before any step, one run for each choice of what is learnt, and the loss of packed texts."""
    train, held_out = items()
    chat = open_tuned("lora", smollm_file())
    parts, few = kinds_of(chat, train), kinds_of(chat, held_out)
    found: dict[str, Any] = {
        "tokens": {kind: sum(kinds.count(kind) for _, kinds in few) for kind in (*PARTS, "end")},
        "pulls": pulls(chat, few),
        "packing": in_sight(chat, of_kind(few, "answer", "end"), PACKED),
        "states": {"before": state(chat, held_out)},
        "losses": {},
    }
    show(json.dumps(found, indent=1))
    for name, learnt in LEARNT.items():
        chat = open_tuned("lora", smollm_file())
        losses = learn(chat, of_kind(parts, *learnt), lambda step, loss: show(f"{step} {loss:.3f}"))
        found["losses"][name], found["states"][name] = [round(loss, 3) for loss in losses], state(chat, held_out)
        show(f"{name}: {json.dumps(found['states'][name], indent=1)}")
    return found


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def measured() -> tuple[dict[str, Any], str]:
    """Losses of the eight steps, and one answer before and after: measured now where SmolLM2 is here, or kept."""
    there, states = kept(), kept()["states"]
    own = {"losses": there["losses"]["answer"], "before": states["before"]["says"], "after": states["answer"]["says"]}
    try:
        smollm_file()
    except FileNotFoundError:
        return own, f"kept results of `{COMMAND}`; `make smollm` fetches the model"
    if quick():
        return own, f"kept results of `{COMMAND}`"
    chat = open_tuned("lora", smollm_file())
    before = says(chat)
    texts = of_kind(kinds_of(chat, items()[0]), *LEARNT["answer"])
    losses = learn(chat, texts)
    return {"losses": losses, "before": before, "after": says(chat)}, "measured now"


if __name__ == "__main__":
    set_threads()
    write_json(KEPT, measure(lambda line: print(line, flush=True)))
