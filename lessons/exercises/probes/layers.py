"""Probes of lessons 5, 6 and 7."""

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, Marker, gradients, refusal
from lessons.exercises.probes.models import random_config
from transformer import masks
from transformer.add_norm import AddNorm, LayerNorm
from transformer.decoder import DecoderLayer
from transformer.decoding.cache import FixedCache, GrowingCache
from transformer.encoder import EncoderLayer
from transformer.feed_forward import FeedForward


def layer_norm(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(3, 9)
    norm = draw.fill(LayerNorm(d_model, eps=draw.uniform(0.01, 0.5)))
    x = draw.normal(2, draw.size(1, 5), d_model, grad=True)
    output = norm(x)
    return {"the output": output, "x afterwards": x.detach().clone()} | gradients(output, x=x)


def add_norm(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, outputs = draw.size(2, 8), {}
    sublayer = draw.fill(nn.Linear(d_model, d_model))
    x = draw.normal(2, 3, d_model, grad=True)
    for order in ("post", "pre"):
        layer = draw.fill(AddNorm(d_model, 0.0, order))
        layer.dropout = Marker()
        outputs[f"{order}-norm"] = layer(x, sublayer)
    return outputs | gradients(outputs["pre-norm"] + outputs["post-norm"], x=x)


def feed_forward(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, d_ff = draw.size(2, 6), draw.size(3, 9)
    x = draw.normal(2, 3, d_model, grad=True)
    kinds = ("relu", "gelu", "gelu_tanh", "silu")
    outputs = {kind: draw.fill(FeedForward(d_model, d_ff, kind))(x) for kind in kinds}
    return outputs | gradients(sum(outputs.values()), x=x)


def encoder_layer(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    config = random_config(draw)
    layer = draw.fill(EncoderLayer(config)).eval()
    time = draw.size(2, 6)
    x = draw.normal(2, time, config.d_model, grad=True)
    mask = draw.coin(2, 1, 1, time)
    mask[0, ..., 0] = False
    output = layer(x, mask)
    return {"the output": output, "without a mask": layer(x)} | gradients(output, x=x)


def decoder_layer(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    config = random_config(draw)
    layer = draw.fill(DecoderLayer(config)).eval()
    time, source = draw.size(2, 5), draw.size(2, 6)
    x, memory = draw.normal(2, time, config.d_model, grad=True), draw.normal(2, source, config.d_model, grad=True)
    mask = draw.coin(2, 1, 1, source)
    mask[0, ..., 0] = False
    output = layer(x, memory, torch.ones(time, time).tril().bool(), mask)
    found = {"the output": output} | gradients(output, x=x, memory=memory)
    cache = GrowingCache(time), FixedCache()
    with torch.no_grad():
        steps = [layer(x[:, :1], memory, None, mask, cache)]
        # A cross-attention that remembers its memory does not look at another one.
        steps += [layer(x[:, at : at + 1], -memory, None, mask, cache) for at in range(1, time)]
    return found | {"one position at a time, with a cache": torch.cat(steps, dim=1)}


def padding_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    ids = torch.cat([draw.ids(0, 6, 3, draw.size(1, 9)), torch.arange(6).expand(3, -1)], dim=1)
    return {"the mask": masks.padding_mask(ids, pad_id=draw.size(1, 4))}


def causal_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    return {
        "the mask": masks.causal_mask(draw.size(2, 7)),
        "behind a cache": masks.causal_mask(draw.size(2, 5), draw.size(1, 4)),
        "is it on the device that was asked for": torch.tensor(
            masks.causal_mask(draw.size(2, 5), device=torch.device("meta")).is_meta
        ),
        "the kind of error for a length of 0": refusal(masks.causal_mask, 0),
        "the kind of error for a negative past": refusal(masks.causal_mask, 2, -1),
    }
