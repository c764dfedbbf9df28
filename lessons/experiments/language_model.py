"""Lesson 29's measurements: SmolLM2 with one part of its blocks put back to the paper's, distances, and sizes of caches.

python -m lessons.experiments.language_model        measures SmolLM2 anew and keeps it (lessons/results/language_model.json)
"""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lessons.chat.answer import answer
from lessons.chat.milestone import QUESTION
from lessons.chat.model import ChatModel, open_model
from lessons.chat.smollm import smollm_file
from lessons.experiments.language_model_parts import PARTS, positions
from lessons.task.machine import set_threads
from lessons.teaching import Values, claim, kept_claim, quick
from transformer import TransformerConfig
from transformer.learning.formats import write_json
from transformer.rotary import rotation

KEPT = Path(__file__).resolve().parents[1] / "results" / "language_model.json"
COMMAND = "python -m lessons.experiments.language_model"
TEXT = """\
The baker gets up at three in the morning, long before the village is awake. She lights the oven, weighs the flour and
mixes it with water, salt and a little of yesterday's dough. Then she waits. Good bread takes time, she says, and nobody has
ever found a way around that. While the dough rises she sweeps the floor and reads the newspaper of the day before. At six
the first customers stand in front of the door. Most of them buy the same loaf that their parents bought, and they talk about
the weather, the football match and the new bridge over the river. When the children come past on their way to school, she
gives each of them a small warm roll. By noon everything is sold. The baker closes the shop, walks home through the quiet
street and goes to sleep, because tomorrow the oven will be cold again, and somebody has to light it."""
X = torch.tensor([1.0, 1, 3, 5])
"""Of the example by hand: one vector for both norms; numbers 1 and 3, and 2 and 4, are its pairs."""
SHIFTS = (0, 10, 100, 1000)


def smollm() -> ChatModel:
    return open_model(smollm_file(), attention="math")


@torch.no_grad()
def loss_of(chat: ChatModel, text: str = TEXT) -> float:
    """Nats per token of the text, each from those before it."""
    ids = torch.tensor([chat.tokenizer.encode(text, add_special_tokens=False).ids])
    logits = chat.model(ids)[0, :-1]
    return float(nn.functional.cross_entropy(logits.double(), ids[0, 1:]))


def measure(show: Callable[[str], object] = lambda name: None) -> dict[str, Any]:
    """Losses and answers of every part put back, and the loss with positions that begin later."""
    found: dict[str, Any] = {"losses": {}, "answers": {}, "shifted": {}}
    whole = smollm()
    for name, change in PARTS.items():
        chat = replace(whole, model=deepcopy(whole.model))
        change(chat.model)
        found["losses"][name] = loss_of(chat)
        found["answers"][name] = answer(chat, [{"role": "user", "content": QUESTION}], max_tokens=10).text
        show(f"{name:16} {found['losses'][name]:7.3f} nats   {found['answers'][name]!r}")
    for first in SHIFTS:
        positions(whole.model, first)
        found["shifted"][str(first)] = loss_of(whole)
    ids = whole.tokenizer.encode(TEXT, add_special_tokens=False).ids
    return found | {"tokens": len(ids), "most": float(torch.tensor(whole.config.vocab_size).log())}


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def measured() -> tuple[dict[str, Any], str]:
    """What SmolLM2 does, and where the numbers come from: measured now, where it is here, or kept."""
    try:
        smollm_file()
    except FileNotFoundError:
        return kept(), f"kept results of `{COMMAND}`; `make smollm` fetches the model"
    return (kept(), f"kept results of `{COMMAND}`") if quick() else (measure(), "measured now")


def by_name(values: dict[str, Any], end: str = "") -> Values:
    """The parts' names as a sentence calls them."""
    return {f"{name.lower().replace(' ', '_').replace('-', '_')}{end}": value for name, value in values.items()}


def losses(found: dict[str, Any]) -> Values:
    """What lesson 29 says of them, asserted."""
    lost, shifted = found["losses"], list(found["shifted"].values())
    values = by_name({name: loss - lost["as it is"] for name, loss in lost.items()}) | {"whole": lost["as it is"]}
    values |= {"apart": max(shifted) - min(shifted), "tokens": found["tokens"], "most": found["most"]}
    claim("Paris" in found["answers"]["as it is"], "it says Paris")
    claim(values["apart"] < 1e-3, "where the positions begin makes no difference", **values)
    claim(0 < values["layernorm"] < 0.2, "with LayerNorm it hardly loses", **values)
    others = [name for name in lost if name not in ("as it is", "LayerNorm")]
    claim(all(lost[name] > lost["LayerNorm"] + 0.5 for name in others), "it loses all else", **values)
    return values | by_name(found["answers"], "_says")


@kept_claim
def kept_losses() -> Values:
    return losses(kept())


@torch.no_grad()
def scores(base: float, d_head: int, at: int, distances: int) -> Float[Tensor, "distance"]:
    """q · k / d_head of two equal vectors, the query at `at` + distance and the key at `at`."""
    sizes: dict[str, Any] = {"vocab_size": 2, "d_model": d_head, "num_heads": 1, "d_ff": 1, "dropout": 0.0}
    layers: dict[str, Any] = {"num_encoder_layers": 0, "num_decoder_layers": 1, "max_length": 2}
    config = TransformerConfig(**sizes, **layers, positions="rotary", rope_base=base, pad_id=0, bos_id=1, eos_id=1)
    places = at + torch.arange(distances, dtype=torch.float64)[None]
    turned = rotation(places, config, torch.float64)(torch.ones(1, 1, distances, d_head, dtype=torch.float64))[0, 0]
    return turned @ turned[0] / d_head


def cache_bytes(layers: int, heads: int, d_head: int, length: int, each: int = 2) -> int:
    """Of the keys and values of `length` tokens, in 16 bits."""
    return 2 * layers * heads * d_head * length * each


if __name__ == "__main__":
    set_threads()
    write_json(KEPT, measure(print))
