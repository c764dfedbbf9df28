"""Probes of lessons 5, 6 and 7."""

import torch
from torch import Tensor, nn

from lessons.exercises.probes.draw import Draw, gradients
from lessons.exercises.probes.models import random_config
from transformer import masks
from transformer.add_norm import AddNorm, LayerNorm
from transformer.decoder import DecoderLayer
from transformer.encoder import EncoderLayer
from transformer.feed_forward import FeedForward


def layer_norm(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(3, 9)
    norm = draw.fill(LayerNorm(d_model, eps=draw.uniform(0.01, 0.5)))
    x = draw.normal(2, draw.size(1, 5), d_model, grad=True)
    output = norm(x)
    return {"the output": output} | gradients(output, x=x)


def add_norm(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, outputs = draw.size(2, 8), {}
    sublayer = draw.fill(nn.Linear(d_model, d_model))
    x = draw.normal(2, 3, d_model, grad=True)
    for order in ("post", "pre"):
        outputs[f"{order}-norm"] = draw.fill(AddNorm(d_model, 0.0, order))(x, sublayer)
    return outputs | gradients(outputs["pre-norm"] + outputs["post-norm"], x=x)


def feed_forward(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, d_ff = draw.size(2, 6), draw.size(3, 9)
    x = draw.normal(2, 3, d_model)
    kinds = ("relu", "gelu", "silu")
    return {kind: draw.fill(FeedForward(d_model, d_ff, kind))(x) for kind in kinds}


def encoder_layer(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    config = random_config(draw)
    layer = draw.fill(EncoderLayer(config)).eval()
    time = draw.size(2, 6)
    x = draw.normal(2, time, config.d_model, grad=True)
    output = layer(x, draw.coin(2, 1, 1, time))
    return {"the output": output} | gradients(output, x=x)


def decoder_layer(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    config = random_config(draw)
    layer = draw.fill(DecoderLayer(config)).eval()
    time, source = draw.size(2, 5), draw.size(2, 6)
    x, memory = draw.normal(2, time, config.d_model, grad=True), draw.normal(2, source, config.d_model, grad=True)
    output = layer(x, memory, torch.ones(time, time).tril().bool(), draw.coin(2, 1, 1, source))
    return {"the output": output} | gradients(output, x=x, memory=memory)


def padding_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    return {"the mask": masks.padding_mask(draw.ids(0, 5, draw.size(1, 4), draw.size(1, 9)), pad_id=draw.size(0, 4))}


def causal_mask(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    return {
        "the mask": masks.causal_mask(draw.size(1, 7)),
        "behind a cache": masks.causal_mask(draw.size(1, 5), draw.size(1, 4)),
    }
