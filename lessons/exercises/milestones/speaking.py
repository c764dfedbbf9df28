"""The base and its adapters speak, with a student's files in their library's place. Each function returns lines to read.

The base is the one whose every formula is written out: the fused twins would run none of the student's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import load, vocabulary, words
from lessons.task.finetuning import prepared_base
from lessons.task.scoring import LONGEST_OUTPUT, predict, score, source_batch
from lessons.task.shipped import shipped
from peft import PeftModel
from transformer import Transformer, generate

WORD = "tomato"
AMERICAN, BRITISH = "american", "british"
HEARD = 4
"""Words of a milestone that are shown; the others are only counted."""


def clear_base() -> Transformer:
    base = load_base()
    clear = Transformer(replace(base.config, attention="math"))
    clear.load_state_dict(base.state_dict())
    return clear.eval()


def speaker(method: str) -> nn.Module:
    """The base with the adapter of this technique that came with the course."""
    return PeftModel.from_pretrained(prepared_base(method, clear_base()), shipped(method)[BRITISH]).eval()


def heard(model: nn.Module, chosen: Sequence[str], **settings: Any) -> dict[str, str]:
    """What the model says with these settings of `generate`."""
    generator = torch.Generator().manual_seed(0)
    ids = generate(model, source_batch(chosen), LONGEST_OUTPUT, generator=generator, **settings)
    return {word: vocabulary().decode_pronunciation(row[1:]) for word, row in zip(chosen, ids.tolist(), strict=True)}


def beside(word: str, said: str, accent: str) -> str:
    """tomato: təmˈeɪtoʊ, and the dictionary has it so."""
    listed = load(accent)[word]
    has = "as the dictionary has it" if said in listed else f"the dictionary has {listed[0]}"
    return f"{word}: {said or '(nothing)'}, {has}"


def tomato(**settings: Any) -> list[str]:
    """`settings`   those of `generate`"""
    return [f"the base: {beside(WORD, heard(clear_base(), [WORD], **settings)[WORD], AMERICAN)}"]


def british(method: str) -> list[str]:
    return [f"the shipped {method} adapter: {beside(WORD, predict(speaker(method), [WORD])[WORD], BRITISH)}"]


def measured(model: nn.Module, accent: str, count: int) -> float:
    """Of a hundred sounds of held-out words, how many are wrong."""
    return 100 * score(predict(model, words(accent, "development", count)), accent).phoneme_error


def american(count: int, beams: int) -> list[str]:
    base, chosen = clear_base(), words(AMERICAN, "development", count)
    said = predict(base, chosen)
    found = score(said, AMERICAN)
    by_beams = heard(base, chosen[:HEARD], num_beams=beams)
    anew = heard(base, chosen[:HEARD], use_cache=False)
    return [
        *(beside(word, said[word], AMERICAN) for word in chosen[:HEARD]),
        f"the same by {beams} beams: {', '.join(by_beams.values())}",
        f"the same without a cache: {', '.join(anew.values())}",
        f"Of {count} words that it never saw, {count - round(count * found.word_error)} are right; "
        f"{100 * found.phoneme_error:.1f} % of the sounds are wrong.",
    ]


def every_technique(count: int) -> list[str]:
    methods = (
        "adapter_houlsby adapter_pfeiffer adapter_parallel prompt_tuning p_tuning prefix_tuning p_tuning_v2 ssf pill"
    )
    lines = [f"{'British sounds wrong, base':28}{measured(clear_base(), BRITISH, count):5.1f} %"]
    for method in methods.split():
        model = speaker(method)
        lines.append(f"{method:28}{measured(model, BRITISH, count):5.1f} %   {WORD}: {predict(model, [WORD])[WORD]}")
    return lines
