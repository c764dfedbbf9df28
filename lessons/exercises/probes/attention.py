"""Probes of lessons 3 and 4."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from transformer import attention
from transformer.add_norm import RMSNorm
from transformer.decoding.cache import GrowingCache


def scaled_dot_product_attention(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    batch, heads, time, past, d_head = 2, draw.size(1, 3), draw.size(2, 5), draw.size(3, 6), draw.size(2, 9)
    query = draw.normal(batch, heads, time, d_head, grad=True)
    key, value = (draw.normal(batch, heads, past, d_head, grad=True) for _ in range(2))
    mask = draw.coin(batch, 1, time, past)
    mask[:, :, 0] = False  # a query that may attend to nothing
    output, weights = attention.scaled_dot_product_attention(query, key, value, mask)
    plain, _ = attention.scaled_dot_product_attention(query, key, value)
    found = {"the output": output, "the weights": weights, "the output without a mask": plain}
    return found | gradients(output + plain, query=query, key=key, value=value) | dropped_weights(draw)


def dropped_weights(draw: Draw) -> dict[str, Tensor]:
    """With the identity as values the output is the weights after dropout: 0, or grown by 1 / (1 - p)."""
    p, query = draw.uniform(0.2, 0.7), draw.normal(4, 60, 5)
    once, weights = attention.scaled_dot_product_attention(query, query, torch.eye(60).double(), dropout=p)
    again, _ = attention.scaled_dot_product_attention(query, query, torch.eye(60).double(), dropout=p)
    kept = once * (1.0 - p) / weights
    return {
        "the weights that are returned with dropout": weights,
        "do dropped weights differ from call to call": (once != again).any(),
        "the distance of dropped weights from 0 or 1 / (1 - p)": torch.minimum(kept.abs(), (kept - 1.0).abs()),
        "the distance of the dropped share from p, in tenths": (kept.round().mean() - (1.0 - p)).abs() // 0.1,
    }


def module_and_heads(draw: Draw) -> tuple[attention.MultiHeadAttention, int]:
    heads = draw.size(2, 4)
    d_model = heads * draw.size(2, 5)
    module = attention.MultiHeadAttention(d_model, heads)
    draw.fill(module)
    return module.eval(), d_model


def split_heads(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    module, d_model = module_and_heads(draw)
    return {"the heads": module.split_heads(draw.normal(draw.size(2, 3), draw.size(2, 6), d_model))}


def multi_head_attention(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    module, d_model = module_and_heads(draw)
    time, past = draw.size(2, 5), draw.size(2, 6)
    query = draw.normal(2, time, d_model, grad=True)
    key, value = (draw.normal(2, past, d_model, grad=True) for _ in range(2))
    output = module(query, key, value, draw.coin(2, 1, time, past))
    cache = GrowingCache(time)
    steps = [module(x, x, x, None, cache) for x in query.detach().split(1, dim=1)]
    found = {"the output": output, "one position at a time, with a cache": torch.cat(steps, dim=1)}
    found |= turned_and_masked(draw, module, query.detach())
    found["the kind of error for a mask that is not boolean"] = refusal(
        module, query, key, value, torch.ones(time, past)
    )
    unfit = torch.ones(time + 1, past).bool()
    found["the kind of error for a mask that does not fit"] = refusal(module, query, key, value, unfit)
    return found | gradients(output, query=query, key=key, value=value)


def turned_and_masked(draw: Draw, module: attention.MultiHeadAttention, x: Tensor) -> dict[str, Tensor]:
    """With norms on the heads and a rotation; and step by step, under a mask as long as all that the cache holds."""
    normed = attention.MultiHeadAttention(x.shape[-1], module.num_heads, head_norm=RMSNorm)
    draw.fill(normed)
    factors = draw.normal(x.shape[1], normed.d_head)
    seen, cache = draw.coin(2, 1, 1, x.shape[1]), GrowingCache(x.shape[1])
    steps = [module(new, new, new, seen[..., : t + 1], cache) for t, new in enumerate(x.split(1, dim=1))]
    return {
        "with norms on the heads and a rotation": normed(x, x, -x, rotate=lambda heads: heads * factors),
        "with a cache, and a mask as long as all its keys": torch.cat(steps, dim=1),
    }
