"""Lesson 19's measurements: one LSTM by hand, an encoder that is dropped, how alike its rows are."""

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from lessons.compare.prompt_study import load_study, name_of
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.teaching import quick
from peft import PeftModel, drop_encoders
from peft.p_tuning import EncodedPromptInput, PromptEncoder
from transformer import train

ROWS = torch.ones(2, 1)
GATE = 0.5
"""The example by hand: two equal rows, all gates one half, the candidate is tanh(x)."""


def by_hand() -> nn.LSTM:
    """One feature, one direction, all weights 0 but the candidate's."""
    lstm = nn.LSTM(1, 1)
    incoming: Any = lstm.weight_ih_l0
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        incoming[2] = 1.0  # torch's order of the gates: input, forget, candidate, output
    return lstm


def states_by_formula() -> list[tuple[float, float, float]]:
    """(g, c, h) of each row."""
    found, memory = [], torch.zeros(1)
    for row in ROWS:
        candidate = torch.tanh(row)
        memory = GATE * memory + GATE * candidate
        found.append((float(candidate), float(memory), float(GATE * torch.tanh(memory))))
    return found


def site_of(model: PeftModel) -> EncodedPromptInput:
    base: Any = model.base_model
    site: EncodedPromptInput = base.source_input.layers["default"]
    return site


def encoder_of(model: PeftModel) -> PromptEncoder:
    """Raises ValueError where the encoder was dropped."""
    encoder = site_of(model).encoder
    if encoder is None:
        raise ValueError("the encoder was dropped: only its prompt is left")
    return encoder


@torch.no_grad()
def prompts_for(model: PeftModel, some: Sequence[str], count: int = 5) -> list[Tensor]:
    """What stands in front of each word: the first `count` vectors that the encoder is given."""
    tokens = vocabulary()
    return [model.embed_source(torch.tensor([tokens.encode_word(word)]))[0][0, :count] for word in some]


def prompt_of(model: PeftModel) -> Tensor:
    """Whatever the word is, the prompt is the same: that of "a"."""
    return prompts_for(model, ["a"])[0]


def trained_on(model: PeftModel, accent: str, rate: float, seed: int = 0) -> list[float]:
    """The losses; a quick run takes three steps."""
    examples = pairs(accent, fine_tuning_words(accent), all_pronunciations=True)
    return train(model, examples, training_config(3 if quick() else 50, rate, seed=seed))


def encoder_rate() -> float:
    """The rate that the saved study found for P-Tuning with five vectors."""
    return float(load_study()["own"][name_of("P-Tuning", 5)])


@cache
def british_model() -> PeftModel:
    model = adapted("p_tuning", seed=0)
    trained_on(model, "british", encoder_rate())
    return model.eval()


@dataclass(frozen=True)
class Dropped:
    """What changes when the encoder goes: the logits, how many numbers are trained, milliseconds a batch; bytes on disk."""

    moved: float
    numbers: tuple[int, int]
    milliseconds: tuple[float, float]
    on_disk: int


@torch.no_grad()
def without_encoder(with_encoder: PeftModel) -> Dropped:
    tokens, short = vocabulary(), copy.deepcopy(with_encoder)
    drop_encoders(short)
    source = torch.tensor([tokens.encode_word("laboratory")] * 8)
    target = torch.tensor([tokens.encode_pronunciation(load("british")["laboratory"][0])] * 8)
    moved = float((with_encoder(source, target) - short(source, target)).abs().max())
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(21):  # in turn, so that a busy machine is busy for both
        for times, model in zip(taken, (with_encoder, short), strict=True):
            start = time.perf_counter()
            model.encode(source)
            times.append(1000 * (time.perf_counter() - start))
    with tempfile.TemporaryDirectory() as folder:
        short.save_pretrained(folder)
        size = (Path(folder) / "adapter_model.safetensors").stat().st_size
    numbers = with_encoder.get_nb_trainable_parameters()[0], short.get_nb_trainable_parameters()[0]
    return Dropped(moved, numbers, (median(taken[0]), median(taken[1])), size)


def alike(prompt: Tensor) -> float:
    """The mean cosine between two different rows of a prompt: 1 where all have the same direction."""
    cosines = nn.functional.cosine_similarity(prompt[:, None], prompt[None], dim=-1)
    return float((cosines.sum() - cosines.trace()) / (cosines.numel() - len(prompt)))


def alike_before_and_after(method: str) -> tuple[float, float]:
    """How alike the rows of the prompt are, before training on British and after it."""
    model = adapted(method, seed=0)
    before = alike(prompt_of(model))
    if method == "p_tuning":
        model = british_model()
    else:
        trained_on(model, "british", rate_of(method))
    return before, alike(prompt_of(model))
