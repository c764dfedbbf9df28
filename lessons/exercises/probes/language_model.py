"""Probes of lesson 29."""

import numpy as np
import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients
from transformer import attention
from transformer import rotary as turning
from transformer.add_norm import RMSNorm
from transformer.config import TransformerConfig
from transformer.feed_forward import GatedFeedForward
from transformer.pretrained.gguf import blocks


def rms_norm(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model = draw.size(3, 9)
    norm = draw.fill(RMSNorm(d_model, eps=draw.uniform(0.01, 0.5)))
    x = draw.normal(2, draw.size(1, 5), d_model, grad=True)
    output = norm(x)
    return {"the output": output, "x afterwards": x.detach().clone()} | gradients(output, x=x)


def rotary_config(draw: Draw, **changes: float) -> TransformerConfig:
    sizes = {"vocab_size": 9, "d_model": 8, "num_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 1, "d_ff": 4}
    own = {"dropout": 0.0, "max_length": 9, "head_size": 2 * draw.size(3, 6), "rope_base": draw.uniform(5.0, 900.0)}
    return TransformerConfig(**{**sizes, **own, "positions": "rotary", **changes})


def slow(draw: Draw) -> dict[str, float]:
    low = draw.uniform(0.5, 2.0)
    return {
        "rope_factor": draw.uniform(2.0, 9.0),
        "rope_low_freq_factor": low,
        "rope_high_freq_factor": low + draw.uniform(1.0, 3.0),
        "rope_original_length": draw.size(20, 200),
    }


def rotary(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    config = rotary_config(draw)
    batch, time = 2, draw.size(2, 6)
    x = draw.normal(batch, draw.size(1, 3), time, config.d_head, grad=True)
    places, angle = draw.ids(0, 50, batch, time), draw.normal(batch, 1, time, config.d_head // 2)
    heads = turning.rotation(places, config, torch.float64)(x)
    return {
        "the frequencies": turning.frequencies(config),
        "frequencies that are slowed": turning.frequencies(rotary_config(draw, **slow(draw))),
        "the turned heads": heads,
        "heads at far positions": turning.rotation(places + 100_000, config, torch.float32)(x.detach().float()),
        "heads turned by given cosines and sines": turning.turned(x, angle.cos(), angle.sin()),
    } | gradients(heads, x=x)


def slowed_rotary(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for name in ("one model", "another"):
        config = rotary_config(draw, **slow(draw))
        most = 1.5 * config.rope_high_freq_factor  # turns: from hardly any, by those in between, to more than enough
        theta = torch.linspace(most, 0.01, 9, dtype=torch.float64) * 2 * torch.pi / config.rope_original_length
        found[f"the frequencies of {name}"] = turning.slowed(theta, config)
    theta = draw.normal(5).abs()
    return found | {"frequencies with a factor of 1": turning.slowed(theta, rotary_config(draw))}


def grouped_heads(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for share in (1, 2, draw.size(3, 5)):
        kv_heads = draw.size(2, 4)
        shared = draw.normal(2, kv_heads, share * kv_heads, draw.size(2, 5), grad=True)  # as many keys as heads
        heads = attention.for_every_query(shared, share * kv_heads)
        found |= {f"{share} queries to a head": heads} | gradients(heads, **{f"the keys, {share} to a head": shared})
    return found


def gated_feed_forward(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    d_model, d_ff = draw.size(2, 6), draw.size(3, 9)
    x = draw.normal(2, 3, d_model, grad=True)
    outputs = {kind: draw.fill(GatedFeedForward(d_model, d_ff, kind))(x) for kind in ("silu", "gelu_tanh", "relu")}
    outputs["without biases"] = draw.fill(GatedFeedForward(d_model, d_ff, bias=False))(x)
    return outputs | gradients(sum(outputs.values()), x=x)


def q4_1(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    count = draw.size(2, 9)
    packed = np.zeros(count, dtype=blocks.FORMATS[3].layout)
    packed["d"], packed["m"] = draw.normal(count).numpy(), (5.0 * draw.normal(count)).numpy()
    packed["q"] = draw.ids(0, 256, count, 16).numpy()
    packed["m"][0] = 0.0  # the product is seen to its last bit
    codes, weights = blocks.in_half_bytes(packed["q"]), blocks.decode_q4_1(packed)
    return {
        "the codes": torch.tensor(codes),
        "the weights": torch.tensor(weights),
        "the weights' bits": torch.tensor(np.asarray(weights, np.float32).view(np.int32)),
    }
