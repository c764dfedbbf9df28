"""Watching attention: who looked at whom, while a model runs as it always does.

with record_attention(model) as maps:
    model(source, target)
maps["decoder.layers.0.cross_attention"][0]        (batch, heads, query, key), of the first call
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from transformer.attention import Attend, for_every_query, scaled_dot_product_attention

WRAPPED = ("base", "base_model")
"""What a module that stands around another one calls it: the name is no part of the other one's path (peft/)."""


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collects the weights of every attention while a model runs, and leaves what `forward` returns alone.

    Yields a dict: name of the attention → list of weights (batch, heads, query, key), one for each call. They are those
    of the formula, before dropout, also where a fused attention never computes them.
    """
    maps: dict[str, list[Tensor]] = {}
    hooks = []
    for path, module in model.named_modules():
        if isinstance(module, Attend):
            weights = maps.setdefault(attention_name(path), [])
            hooks.append(module.register_forward_hook(partial(record, weights), with_kwargs=True))
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def record(weights: list[Tensor], core: nn.Module, inputs: Any, named: dict[str, Any], _: Any) -> None:
    query, key, value, *mask = inputs
    key, value = (for_every_query(x, query.shape[1]) for x in (key, value))
    weights.append(scaled_dot_product_attention(query, key, value, *mask, **named)[1].detach())


def attention_name(path: str) -> str:
    """The path of the attention that a core belongs to, whatever stands around either of them."""
    return ".".join(part for part in path.split(".attend")[0].split(".") if part not in WRAPPED)
