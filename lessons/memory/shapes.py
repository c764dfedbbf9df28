"""The shapes of real models, as their papers and their config files on Hugging Face have them.

One row for each model; blocks.py makes a model of it, without numbers. The number of parameters is never written
here: it is counted, and a test compares it with the one that the papers give.

Papers    GPT-2 (Radford et al. 2019); BERT arXiv 1810.04805; T5 arXiv 1910.10683; GLM-130B arXiv 2210.02414;
          LLaMA arXiv 2302.13971
"""

from dataclasses import dataclass
from typing import Any, Literal

from transformer.config import Activation, NormOrder

Stacks = Literal["decoder", "encoder", "both"]


@dataclass(frozen=True)
class Architecture:
    """One model.

    `layers`         of each stack; with "both" the encoder has as many as the decoder
    `attention`      the width of query, key and value over all heads; d_model unless it is given
    `positions`      rows of a learned table; 0 where positions are a rotation or a bias that is no large matrix
    `distances`      T5's bias by distance: so many kinds of distance, one number for each head
    `gated`          a third matrix in the feed forward: W_2 (φ(W_g x) ⊙ W_1 x)
    `rms`            the norm only divides by the size: a gain, no bias
    `pooler`         BERT's last layer, on the first token
    """

    stacks: Stacks
    vocab: int
    d_model: int
    layers: int
    heads: int
    d_ff: int
    attention: int = 0
    activation: Activation = "gelu"
    norm: NormOrder = "pre"
    positions: int = 0
    max_length: int = 2048
    distances: int = 0
    gated: bool = False
    bias: bool = True
    rms: bool = False
    tied: bool = True
    norm_embeddings: bool = False
    segments: int = 0
    pooler: bool = False


def gpt2(d_model: int, layers: int, heads: int) -> Architecture:
    return Architecture(
        "decoder", 50257, d_model, layers, heads, 4 * d_model, activation="gelu_tanh", positions=1024, max_length=1024
    )


def bert(d_model: int, layers: int, heads: int) -> Architecture:
    own: dict[str, Any] = {"positions": 512, "max_length": 512, "norm_embeddings": True, "segments": 2, "pooler": True}
    return Architecture("encoder", 30522, d_model, layers, heads, 4 * d_model, norm="post", **own)


def t5(d_model: int, layers: int, heads: int, d_ff: int, d_head: int = 64) -> Architecture:
    own: dict[str, Any] = {"activation": "relu", "distances": 32, "bias": False, "rms": True, "max_length": 512}
    return Architecture("both", 32128, d_model, layers, heads, d_ff, attention=heads * d_head, **own)


def llama(d_model: int, layers: int, heads: int, d_ff: int) -> Architecture:
    own: dict[str, Any] = {"activation": "silu", "gated": True, "bias": False, "rms": True, "tied": False}
    return Architecture("decoder", 32000, d_model, layers, heads, d_ff, **own)


ARCHITECTURES = {
    "gpt2": gpt2(768, 12, 12),
    "gpt2-medium": gpt2(1024, 24, 16),
    "gpt2-large": gpt2(1280, 36, 20),
    "gpt2-xl": gpt2(1600, 48, 25),
    "bert-base": bert(768, 12, 12),
    "bert-large": bert(1024, 24, 16),
    "t5-small": t5(512, 6, 8, 2048),
    "t5-base": t5(768, 12, 12, 3072),
    "t5-large": t5(1024, 24, 16, 4096),
    "t5-3b": t5(1024, 24, 32, 16384, d_head=128),
    "t5-11b": t5(1024, 24, 128, 65536, d_head=128),
    "glm-130b": Architecture("decoder", 150528, 12288, 70, 96, 32768, gated=True, norm="post"),
    "llama-7b": llama(4096, 32, 32, 11008),
    "llama-13b": llama(5120, 40, 40, 13824),
    "llama-33b": llama(6656, 60, 52, 17920),
    "llama-65b": llama(8192, 80, 64, 22016),
}


def architecture(name: str) -> Architecture:
    """The model of that name. Raises ValueError that lists the names there are."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}; there are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
