"""The shapes of real models, as their papers and their config files on Hugging Face have them.

One row for each model; blocks.py makes a model of it, without numbers. The number of parameters is never written
here: it is counted, and a test compares it with the one that the papers give.

Papers    GPT-2 (Radford et al. 2019); BERT arXiv 1810.04805; T5 arXiv 1910.10683; GLM-130B arXiv 2210.02414;
          LLaMA arXiv 2302.13971; SmolLM2 arXiv 2502.02737; Llama 3 (of 1 and 3 billion: 3.2) arXiv 2407.21783;
          Qwen2.5 arXiv 2412.15115; Qwen3 arXiv 2505.09388
"""

from dataclasses import dataclass
from typing import Any, Literal

from transformer.config import Activation, NormOrder

Stacks = Literal["decoder", "encoder", "both"]


@dataclass(frozen=True)
class Architecture:
    """One model.

    `layers`         of each stack; with "both" the encoder has as many as the decoder
    `d_head`         features of a head; d_model / heads unless it is given
    `kv_heads`       heads of keys and values, where queries share them
    `positions`      rows of a learned table; 0 where positions are a rotation or a bias that is no large matrix
    `rotary`         positions turn queries and keys
    `distances`      T5's bias by distance: so many kinds of distance, one number for each head
    `gated`          a third matrix in the feed forward
    `rms`            the norm only divides by the size: a gain, no bias
    `qkv_bias`       whether queries, keys and values have a bias, where it is not as `bias` says
    `norm_heads`     a norm on each head's queries and keys
    `pooler`         BERT's last layer, on the first token
    """

    stacks: Stacks
    vocab: int
    d_model: int
    layers: int
    heads: int
    d_ff: int
    d_head: int = 0
    kv_heads: int = 0
    activation: Activation = "gelu"
    norm: NormOrder = "pre"
    positions: int = 0
    rotary: bool = False
    max_length: int = 2048
    distances: int = 0
    gated: bool = False
    bias: bool = True
    qkv_bias: bool | None = None
    norm_heads: bool = False
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
    return Architecture("both", 32128, d_model, layers, heads, d_ff, d_head=d_head, **own)


def llama(d_model: int, layers: int, heads: int, d_ff: int, vocab: int = 32000, **changes: Any) -> Architecture:
    own: dict[str, Any] = {
        "activation": "silu",
        "gated": True,
        "bias": False,
        "rms": True,
        "tied": False,
        "rotary": True,
    }
    return Architecture("decoder", vocab, d_model, layers, heads, d_ff, **own | changes)


def llama3(d_model: int, layers: int, heads: int, d_ff: int, **changes: Any) -> Architecture:
    return llama(d_model, layers, heads, d_ff, 128256, **{"kv_heads": 8, "max_length": 8192} | changes)


def qwen2(d_model: int, layers: int, heads: int, kv_heads: int, d_ff: int, **changes: Any) -> Architecture:
    own = {"vocab": 152064, "qkv_bias": True, "max_length": 32768}
    return llama(d_model, layers, heads, d_ff, kv_heads=kv_heads, **own | changes)


def qwen3(d_model: int, layers: int, heads: int, d_ff: int, **changes: Any) -> Architecture:
    own = {"vocab": 151936, "kv_heads": 8, "d_head": 128, "norm_heads": True, "max_length": 32768}
    return llama(d_model, layers, heads, d_ff, **own | changes)


SMALL_QWEN: dict[str, Any] = {"vocab": 151936, "tied": True}
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
    "smollm2-135m": llama(576, 30, 9, 1536, 49152, kv_heads=3, tied=True, max_length=8192),
    "llama3-1b": llama3(2048, 16, 32, 8192, tied=True),
    "llama3-3b": llama3(3072, 28, 24, 8192, tied=True),
    "llama3-8b": llama3(4096, 32, 32, 14336),
    "llama3-70b": llama3(8192, 80, 64, 28672),
    "qwen2.5-0.5b": qwen2(896, 24, 14, 2, 4864, **SMALL_QWEN),
    "qwen2.5-1.5b": qwen2(1536, 28, 12, 2, 8960, **SMALL_QWEN),
    "qwen2.5-3b": qwen2(2048, 36, 16, 2, 11008, **SMALL_QWEN),
    "qwen2.5-7b": qwen2(3584, 28, 28, 4, 18944),
    "qwen2.5-14b": qwen2(5120, 48, 40, 8, 13824),
    "qwen2.5-32b": qwen2(5120, 64, 40, 8, 27648),
    "qwen2.5-72b": qwen2(8192, 80, 64, 8, 29568),
    "qwen3-0.6b": qwen3(1024, 28, 16, 3072, tied=True),
    "qwen3-1.7b": qwen3(2048, 28, 16, 6144, tied=True),
    "qwen3-4b": qwen3(2560, 36, 32, 9728, tied=True),
    "qwen3-8b": qwen3(4096, 36, 32, 12288),
    "qwen3-14b": qwen3(5120, 40, 40, 17408),
    "qwen3-32b": qwen3(5120, 64, 64, 25600),
}


def architecture(name: str) -> Architecture:
    """The model of that name. Raises ValueError that lists the names there are."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown model {name!r}; there are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
