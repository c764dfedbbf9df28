"""Probes of lessons 3 and 4."""

from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients
from transformer import attention


def scaled_dot_product_attention(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    batch, heads, time, past, d_head = 2, draw.size(1, 3), draw.size(2, 5), draw.size(3, 6), draw.size(2, 9)
    query = draw.normal(batch, heads, time, d_head, grad=True)
    key, value = (draw.normal(batch, heads, past, d_head, grad=True) for _ in range(2))
    output, weights = attention.scaled_dot_product_attention(query, key, value, draw.coin(batch, 1, time, past))
    plain, _ = attention.scaled_dot_product_attention(query, key, value)
    return {"the output": output, "the weights": weights, "the output without a mask": plain} | gradients(
        output + plain, query=query, key=key, value=value
    )


def module_and_heads(draw: Draw) -> tuple[attention.MultiHeadAttention, int]:
    heads = draw.size(1, 4)
    d_model = heads * draw.size(1, 5)
    module = attention.MultiHeadAttention(d_model, heads)
    draw.fill(module)
    return module.eval(), d_model


def split_heads(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    module, d_model = module_and_heads(draw)
    return {"the heads": module.split_heads(draw.normal(draw.size(1, 3), draw.size(1, 6), d_model))}


def multi_head_attention(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    module, d_model = module_and_heads(draw)
    time, past = draw.size(2, 5), draw.size(2, 6)
    query = draw.normal(2, time, d_model, grad=True)
    key, value = (draw.normal(2, past, d_model, grad=True) for _ in range(2))
    output = module(query, key, value, draw.coin(2, 1, time, past))
    return {"the output": output} | gradients(output, query=query, key=key, value=value)
