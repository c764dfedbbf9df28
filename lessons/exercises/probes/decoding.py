"""Probes of lesson 10."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.models import random_config, random_model
from transformer.decoding import beam, generation, sampling
from transformer.decoding.cache import GrowingCache


def truncate(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    logits = 2.0 * draw.normal(4, draw.size(6, 15))
    k, p = draw.size(1, 5), draw.uniform(0.1, 0.95)
    cut = {"top-k": (k, None), "top-p": (None, p), "both": (k, p)}
    return {name: sampling.truncate(logits, *settings) for name, settings in cut.items()}


def sample(seed: int) -> dict[str, Tensor]:
    """Drawn so often that the shares tell the distribution; rounded, since draws may be made in more than one way."""
    draw = Draw(seed)
    logits = draw.normal(5)
    temperature = draw.uniform(0.4, 2.0)
    best = sampling.sample(draw.normal(8, 6), temperature, top_k=1)
    drawn = sampling.sample(logits.expand(60_000, -1), temperature, generator=torch.Generator().manual_seed(seed))
    away = torch.bincount(drawn, minlength=5).double() / len(drawn) - (logits / temperature).softmax(-1)
    return {"the best of one": best, "the distance from the right shares, in 3 %": (away.abs() // 0.03)}


def key_value_cache(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    store, outputs = GrowingCache(capacity=12), {}
    for call in range(3):
        new = next(draw.normal(2, 3, draw.size(1, 4) if part == 0 else 1, 4) for part in range(1))
        keys, values = store.keys_and_values(lambda new=new: (new, -2.0 * new))
        outputs |= {f"the keys of call {call}": keys.clone(), f"the values of call {call}": values.clone()}
    return outputs


def finished_beams(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    beams, outputs = draw.size(1, 3), {}
    kept = beam.Finished(3, beams, pad_id=draw.size(0, 9), device=torch.device("cpu"))
    for time in range(2, 6):
        kept.add(draw.ids(10, 40, 3, 2 * beams, time), draw.normal(3, 2 * beams).float())
        outputs[f"what can improve at {time}"] = kept.can_improve(draw.normal(3).float())
    return outputs | {"the tokens": kept.tokens, "the scores": kept.scores}


def beam_search(seed: int) -> dict[str, Tensor]:
    """On a table of log-probabilities, and with a model and its cache."""
    draw = Draw(seed)
    config = random_config(draw)
    table, beams = 2.0 * draw.normal(3, 8, config.vocab_size, config.vocab_size), draw.size(2, 4)

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        return table[torch.arange(len(tokens)) // beams, tokens.shape[1] - 1, tokens[:, -1]]

    start = torch.full((3, 1), config.bos_id)
    found = beam.beam_search(next_logits, config, start, 7, beams, draw.uniform(0.0, 2.0))
    model = random_model(draw)
    source = draw.ids(3, 12, 2, 5)
    with torch.no_grad():
        said = generation.generate(model, source, 6, num_beams=beams, length_penalty=draw.uniform(0.0, 2.0))
    return {"the sequences": found, "what a model says": said}
