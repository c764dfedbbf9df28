"""Lesson 10's measurements: the tiny language by hand, ways to decode real words, what the cache changes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from lessons.task.dictionary import load, vocabulary
from lessons.task.scoring import score, source_batch
from transformer import KeyValueCache, Transformer, TransformerConfig, generate
from transformer.decoding.beam import beam_search
from transformer.decoding.sampling import truncate

PROBABILITIES = torch.tensor([[0.5, 0.25, 0.15, 0.1]])
END, A, B = 2, 3, 4
NAMES = {END: "end", A: "A", B: "B"}
TABLE = {(): (0.0, 0.6, 0.4), (A,): (0.3, 0.4, 0.3), (B,): (0.9, 0.05, 0.05)}
"""Prefix → the probabilities of end, A and B. Every other prefix ends."""
TINY = TransformerConfig(
    vocab_size=5, d_model=8, num_heads=1, num_encoder_layers=1, num_decoder_layers=1, d_ff=8, dropout=0.0, max_length=4
)
LIKELY = {"do_sample": True, "temperature": 2.0}
WAYS: dict[str, dict[str, Any]] = {
    "greedy": {},
    "4 beams": {"num_beams": 4, "length_penalty": 0.0},
    "sampling": {"do_sample": True},
    "temperature 2": LIKELY,
    "the same, top-k 3": {**LIKELY, "top_k": 3},
    "the same, top-p 0.8": {**LIKELY, "top_p": 0.8},
}
LONGEST = 32


def cuts() -> dict[str, list[float]]:
    """The example's distribution, as it is and after each way to change it."""
    logits = PROBABILITIES.log()
    changed = {
        "as it is": logits,
        "top-k 2": truncate(logits, top_k=2),
        "top-p 0.8": truncate(logits, top_p=0.8),
        "temperature 0.5": logits / 0.5,
        "temperature 2": logits / 2,
    }
    return {name: cut.softmax(-1)[0].tolist() for name, cut in changed.items()}


def tiny_logits(prefixes: Tensor, rows: Tensor | None) -> Tensor:
    likely = [TABLE.get(tuple(prefix[1:].tolist()), (1.0, 0.0, 0.0)) for prefix in prefixes]
    return torch.tensor([[0.0, 0.0, *chances] for chances in likely]).clamp(min=1e-12).log()


def tiny_search(beams: int, penalty: float) -> str:
    """What a beam search says in the tiny language."""
    found = beam_search(tiny_logits, TINY, torch.tensor([[1]]), 3, num_beams=beams, length_penalty=penalty)
    return " ".join(NAMES[token] for token in found[0, 1:].tolist())


def say(model: nn.Module, words: Sequence[str], seed: int = 0, **settings: Any) -> list[str]:
    """The pronunciation of each word, decoded in any way that `generate` knows; what is drawn follows from the seed."""
    if "do_sample" in settings:
        settings["generator"] = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        rows = generate(model, source_batch(words), LONGEST, **settings)
    return [vocabulary().decode_pronunciation(row[1:].tolist()) for row in rows]


def word_errors(answers: Mapping[str, Sequence[str]], words: Sequence[str]) -> dict[str, float]:
    """Way to decode → words wrong in per cent."""
    return {
        name: 100 * score(dict(zip(words, said, strict=True)), "american").word_error for name, said in answers.items()
    }


@torch.no_grad()
def log_probability(model: Transformer, word: str, said: str) -> float:
    """The sum of the log-probabilities of the sounds, the end included."""
    tokens = vocabulary()
    labels = tokens.encode_pronunciation(said)
    source, inputs = torch.tensor([tokens.encode_word(word)]), torch.tensor([[tokens.bos_id, *labels[:-1]]])
    return float(model(source, inputs)[0].log_softmax(-1)[range(len(labels)), labels].sum())


@dataclass(frozen=True)
class Differing:
    """A word for which beams and greedy differ: both log-probabilities, and which of the answers is right."""

    word: str
    greedy: float
    beam: float
    greedy_right: bool
    beam_right: bool


def differing(model: Transformer, words: Sequence[str], greedy: Sequence[str], beam: Sequence[str]) -> list[Differing]:
    listed = load("american")
    return [
        Differing(
            word, log_probability(model, word, g), log_probability(model, word, b), g in listed[word], b in listed[word]
        )
        for word, g, b in zip(words, greedy, beam, strict=True)
        if g != b and g and b
    ]


def likelier(found: Sequence[Differing]) -> int:
    """For how many words the beams' answer is at least as likely as the greedy one."""
    return sum(each.beam >= each.greedy - 1e-4 for each in found)


@torch.no_grad()
def step_by_step(model: Transformer, word: str, said: str) -> float:
    """The largest difference between the logits of a sequence read at once and read one by one with a cache."""
    tokens = vocabulary()
    target = torch.tensor([[tokens.bos_id, *tokens.encode_pronunciation(said)[:-1]]])
    memory, mask = model.encode(torch.tensor([tokens.encode_word(word)]))
    cache = model.new_cache(target.shape[1])
    steps = [model.decode(target[:, t : t + 1], memory, mask, cache) for t in range(target.shape[1])]
    return float((model.decode(target, memory, mask) - torch.cat(steps, dim=1)).abs().max())


@torch.no_grad()
def seconds(model: Transformer, length: int, cached: bool) -> float:
    """Of reading `length` random symbols one by one, 16 rows at a time."""
    ids = torch.randint(3, len(vocabulary()), (16, length), generator=torch.Generator().manual_seed(0))
    memory, mask = model.encode(ids[:, :12])
    cache = model.new_cache(length)
    start = time.perf_counter()
    for t in range(length):
        if cached:
            model.decode(ids[:, t : t + 1], memory, mask, cache)
        else:
            model.decode(ids[:, : t + 1], memory, mask)
    return time.perf_counter() - start


def times_faster(model: Transformer, lengths: Sequence[int]) -> dict[int, float]:
    """Length → how many times faster with the cache, the median of three rounds; a busy machine slows both sides."""
    return {
        length: sorted(seconds(model, length, False) / seconds(model, length, True) for _ in range(3))[1]
        for length in lengths
    }


def fast_share(model: Transformer, words: Sequence[str]) -> tuple[float, bool]:
    """The time of the fast step as a share of the plain one's, word by word, and whether both say the same."""
    took, said = {}, {}
    for fast in (False, True, False, True):  # the first two warm up
        start = time.perf_counter()
        said[fast] = [say(model, [word], fast=fast) for word in words]
        took[fast] = time.perf_counter() - start
    return took[True] / took[False], said[True] == said[False]


def spoilt(model: Transformer, words: Sequence[str], right: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Words that four beams say otherwise when the cache does not follow them: word → (right, spoilt)."""
    with patch.object(KeyValueCache, "reorder", lambda self, rows: None):
        stale = say(model, words, num_beams=4)
    return {word: (good, bad) for word, good, bad in zip(words, right, stale, strict=True) if good != bad}
