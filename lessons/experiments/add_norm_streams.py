"""Lesson 5's look into the base: how long the residual stream is, and what each sub-layer adds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lessons.experiments.add_norm import of_length, word_batch
from transformer import Transformer


@dataclass(frozen=True)
class Stream:
    """The residual stream: its length at the start and after each sub-layer, what each adds, its length after the last norm."""

    start: float
    lengths: dict[str, float]
    added: dict[str, float]
    normed: float


@torch.no_grad()
def stream_of(model: Transformer) -> Stream:
    """Mean lengths over the letters of words with seven letters."""
    lengths: dict[str, float] = {}
    added: dict[str, float] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            lengths[name] = float(output.norm(dim=-1).mean())
            added[name] = float((output - inputs[0]).norm(dim=-1).mean())

        return hook

    layers: Iterable[Any] = model.encoder.layers
    handles = [
        norm.register_forward_hook(watch(f"{index} {name}"))
        for index, layer in enumerate(layers)
        for name, norm in (("attention", layer.self_attention_norm), ("feed forward", layer.feed_forward_norm))
    ]
    sources = of_length(word_batch(), 7, most=200)
    try:
        memory, _ = model.encode(sources)
    finally:
        for handle in handles:
            handle.remove()
    start = model.place_source(model.embed_source(sources)[0])
    return Stream(float(start.norm(dim=-1).mean()), lengths, added, float(memory.norm(dim=-1).mean()))
