"""Small GGUF files: a writer of them, and a Llama, a Qwen2 and a Qwen3 with random weights."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.reference.ggml_blocks import NUMBER, encode

D, FF, HEADS, KV_HEADS, HEAD, LAYERS = 64, 96, 4, 2, 16, 2
Tensors = dict[str, tuple[str, np.ndarray]]
"""Name → (format, weights)."""


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def typed(value: Any) -> bytes:
    """A value with its type before it."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if all(isinstance(one, str) for one in value):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def gguf_bytes(values: Mapping[str, Any], tensors: Tensors, version: int = 3, alignment: int = 32) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    head += b"".join(text(key) + typed(value) for key, value in values.items())
    data = b""
    for name, (kind, weights) in tensors.items():
        data += bytes(-len(data) % alignment)
        sizes = weights.shape[::-1]
        head += text(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
        head += struct.pack("<IQ", NUMBER[kind], len(data))
        data += encode(kind, weights)
    return head + bytes(-len(head) % alignment) + data


def write_gguf(path: Path, values: Mapping[str, Any], tensors: Tensors, **settings: int) -> Path:
    path.write_bytes(gguf_bytes(values, tensors, **settings))
    return path


TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdeĠ", "ab", "Ġab"]


def small_values(family: str = "llama") -> dict[str, Any]:
    own = {
        "block_count": LAYERS,
        "context_length": 128,
        "embedding_length": D,
        "feed_forward_length": FF,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.layer_norm_rms_epsilon": 2.0**-17,
        "rope.freq_base": 10000.0,
    }
    if family == "qwen3":
        own |= {"attention.key_length": HEAD, "attention.value_length": HEAD}
    return {
        "general.architecture": family,
        **{f"{family}.{key}": value for key, value in own.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [3, 3, 3] + [1] * (len(TOKENS) - 3),
        "tokenizer.ggml.merges": ["a b", "Ġ ab"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
    }


def small_tensors(rng: np.random.Generator, family: str = "llama", kind: str = "Q4_1", tied: bool = True) -> Tensors:
    """The tensors of a small model: matrices in `kind`, the embedding in Q8_0, vectors in F32."""

    def matrix(d_out: int, d_in: int, kind: str = kind) -> tuple[str, np.ndarray]:
        return kind, rng.normal(size=(d_out, d_in)).astype(np.float32)

    def vector(size: int) -> tuple[str, np.ndarray]:
        return "F32", rng.normal(size=size).astype(np.float32)

    tensors = {"token_embd.weight": matrix(len(TOKENS), D, "Q8_0"), "output_norm.weight": vector(D)}
    if not tied:
        tensors["output.weight"] = matrix(len(TOKENS), D)
    for index in range(LAYERS):
        layer = {
            "attn_norm.weight": vector(D),
            "ffn_norm.weight": vector(D),
            "attn_q.weight": matrix(HEADS * HEAD, D),
            "attn_k.weight": matrix(KV_HEADS * HEAD, D),
            "attn_v.weight": matrix(KV_HEADS * HEAD, D),
            "attn_output.weight": matrix(D, HEADS * HEAD),
            "ffn_gate.weight": matrix(FF, D),
            "ffn_up.weight": matrix(FF, D),
            "ffn_down.weight": matrix(D, FF),
        }
        if family == "qwen2":
            sizes = {"q": HEADS * HEAD, "k": KV_HEADS * HEAD, "v": KV_HEADS * HEAD}
            layer |= {f"attn_{letter}.bias": vector(size) for letter, size in sizes.items()}
        if family == "qwen3":
            layer |= {f"attn_{letter}_norm.weight": vector(HEAD) for letter in "qk"}
        tensors |= {f"blk.{index}.{name}": tensor for name, tensor in layer.items()}
    return tensors
