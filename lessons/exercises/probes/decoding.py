"""Probes of lesson 10."""

from functools import partial

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw
from lessons.exercises.probes.models import random_config, random_model
from transformer.attention import KeysAndValues
from transformer.decoding import beam, generation, sampling
from transformer.decoding.cache import GrowingCache


def truncate(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    logits = 2.0 * draw.normal(2, draw.size(6, 15))
    k, p = draw.size(2, 5), draw.uniform(0.1, 0.95)
    cut = {"top-k": (k, None), "top-p": (None, p), "both": (k, p), "more than all": (99, None), "one": (1, None)}
    found = {name: sampling.truncate(logits, *settings) for name, settings in cut.items()}
    found["the logits afterwards"] = logits
    ties = torch.tensor([[3.0, 1.0, 3.0, 0.0, 3.0]])
    found["of three equal ones, top-k 2"] = sampling.truncate(ties, 2)
    # Eight equal ones reach a mass of k / 8 exactly with k tokens; which of them is free.
    kept = sampling.truncate(torch.zeros(3, 8).double(), None, k / 8).isfinite().sum(dim=-1)
    return found | {"how many of eight equal ones reach top-p": kept, "top-p 1": sampling.truncate(logits, None, 1.0)}


def sample(seed: int) -> dict[str, Tensor]:
    """Drawn so often that the shares tell the distribution; rounded, since draws may be made in more than one way."""
    draw = Draw(seed)
    found = {"the best of one": sampling.sample(draw.normal(8, 6), draw.uniform(0.4, 2.0), top_k=1)}
    logits = torch.linspace(-1.5, 1.5, 5).double()[torch.randperm(5, generator=draw.generator)]
    for temperature in (draw.uniform(0.4, 0.6), draw.uniform(1.7, 2.3)):
        drawn = sampling.sample(logits.expand(60_000, -1), temperature, generator=generator(seed))
        shares = (logits / temperature).softmax(-1)
        away = torch.bincount(drawn, minlength=5).double() / len(drawn) - shares
        found[f"the distance from the right shares at {temperature:.2f}, in 3 %"] = away.abs() // 0.03
        # Two draws after each other are equal as often as two throws of the same die.
        repeats = (drawn[1:] == drawn[:-1]).double().mean() - shares.square().sum()
        found[f"what a draw knows of the one before at {temperature:.2f}, in 3 %"] = repeats.abs() // 0.03
    return found | cut_draws(draw) | chance(seed)


def cut_draws(draw: Draw) -> dict[str, Tensor]:
    """Which tokens are drawn at all. At the temperature 2 three tokens reach the mass p, before it two do."""
    rows = torch.tensor([0.5, 0.3, 0.15, 0.05]).double().log()[torch.randperm(4, generator=draw.generator)]
    cuts = {"top-k 2": (2, None), "top-p": (None, draw.uniform(0.7, 0.79)), "no cut": (None, None)}
    drawn = {name: sampling.sample(rows.expand(2000, -1), 2.0, *cut) for name, cut in cuts.items()}
    return {f"drawn with {name}": torch.bincount(ids, minlength=4) > 0 for name, ids in drawn.items()}


def chance(seed: int) -> dict[str, Tensor]:
    """The generator decides: one seed gives one row of draws, another seed another one, and it moves on."""
    logits, same = torch.zeros(200, 5).double(), generator(seed)
    first, later = (sampling.sample(logits, generator=same) for _ in range(2))
    again, other = (sampling.sample(logits, generator=generator(number)) for number in (seed, seed + 1))
    return {
        "does one seed draw the same": (first == again).all(),
        "does another seed draw something else": (first != other).any(),
        "does the next call draw something else": (first != later).any(),
    }


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def key_value_cache(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    store, outputs, calls = GrowingCache(capacity=12), {}, []

    def project(new: Tensor, call: int) -> KeysAndValues:
        calls.append(call)
        return new, -2.0 * new

    for call in range(3):
        keys, values = store.keys_and_values(partial(project, draw.normal(2, 3, draw.size(1, 4), 5), call))
        outputs |= {f"the keys of call {call}": keys.clone(), f"the values of call {call}": values.clone()}
        outputs[f"how many positions after call {call}"] = torch.tensor(store.length)
    return outputs | {"the calls that projected": torch.tensor(calls)}


def finished_beams(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    beams, outputs = draw.size(2, 4), {}
    kept = beam.Finished(3, beams, pad_id=draw.size(1, 6), device=torch.device("cpu"))
    outputs["can a free place improve"] = kept.can_improve(torch.full((3,), -1e6))
    for time in range(2, 6):  # the scores fall, so that short ones stay and are padded
        kept.add(draw.ids(10, 40, 3, 2 * beams, time), (draw.normal(3, 2 * beams) - time).float())
        outputs[f"what can improve at {time}"] = kept.can_improve(draw.normal(3).float())
        outputs[f"does its like improve the worst at {time}"] = kept.can_improve(kept.scores[:, -1].clone())
        outputs[f"can the middle improve at {time}"] = kept.can_improve(kept.scores[:, [0, -1]].mean(dim=1))
    return outputs | {"the tokens": kept.tokens, "the scores": kept.scores}


def beam_search(seed: int) -> dict[str, Tensor]:
    """On tables of log-probabilities, and with a model and its cache."""
    draw, found = Draw(seed), {}
    for penalty in (0.0, draw.uniform(0.8, 1.2), draw.uniform(1.8, 2.2)):
        found |= {f"{what}, penalty {penalty:.2f}": t for what, t in search_in_tables(draw, penalty).items()}
    model, beams = random_model(draw), draw.size(2, 4)
    source = draw.ids(3, 12, 2, 5)
    with torch.no_grad():
        said = generation.generate(model, source, 6, num_beams=beams, length_penalty=draw.uniform(0.0, 2.0))
    return found | {"what a model says": said}


def search_in_tables(draw: Draw, penalty: float) -> dict[str, Tensor]:
    """The next token's logits stand in a table for each source, position and last token."""
    config, beams, sources, steps = random_config(draw), draw.size(2, 4), 200, 7
    tables = 2.0 * draw.normal(sources, steps, config.vocab_size, config.vocab_size)
    tables[..., config.eos_id] += 1.0
    before, follows = [], []

    def next_logits(tokens: Tensor, rows: Tensor | None) -> Tensor:
        if rows is not None:  # each prefix is one of the step before, and a token
            follows.append((before[-1][rows] == tokens[:, :-1]).all())
        before.append(tokens)
        return tables[torch.arange(len(tokens)) // beams, tokens.shape[1] - 1, tokens[:, -1]]

    start = torch.full((sources, 1), config.bos_id)
    sequences = beam.beam_search(next_logits, config, start, steps, beams, penalty)
    return {"the sequences": sequences, "do the rows lead to the prefixes": torch.stack(follows).all()}
