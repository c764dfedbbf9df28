"""The settings of a GGUF under the names of a Hugging Face config.json.

A key that would change what the model computes and that is not known here is refused, never left out.
"""

import math
from collections.abc import Mapping
from typing import Any

ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}
"""GGUF's name → transformers' class. Mistral's files call themselves llama: the blocks are the same."""
WHOLE = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
}
POSITIVE = {"attention.layer_norm_rms_epsilon": "rms_norm_eps", "rope.freq_base": "rope_theta"}
HEAD_SIZES = ("attention.key_length", "attention.value_length", "rope.dimension_count")
NEUTRAL = {
    "vocab_size": None,
    "tensor_data_layout": None,
    "expert_count": 0,
    "expert_used_count": 0,
    "rope.scaling.type": "none",
}
"""Keys that say what is so anyway, with the one value that they may have (None: any)."""
LARGEST = 2**24
"""A width, a length or a number of layers above this is no model's."""


def hf_config(values: Mapping[str, Any], vocab_size: int) -> dict[str, Any]:
    """The config.json of the model; its token ids are added where the vocabulary is read.

    `vocab_size`    the number of rows of the embedding matrix

    Raises ValueError for another architecture, and for a key that is missing, unknown or out of range.
    """
    name = values.get("general.architecture")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ValueError(f"general.architecture is {str(name)[:40]!r}; known are {', '.join(ARCHITECTURES)}")
    if values.get("general.quantization_version", 2) != 2:
        raise ValueError(f"general.quantization_version is {str(values['general.quantization_version'])[:40]!r}, not 2")
    if values.get("split.count", 1) not in (0, 1):
        raise ValueError(f"it is one of {str(values['split.count'])[:40]!r} parts (split.count): join them first")
    own = {key.removeprefix(f"{name}."): value for key, value in values.items() if key.startswith(f"{name}.")}
    check_known(own)
    config: dict[str, Any] = {theirs: whole(own, key) for key, theirs in WHOLE.items()}
    config |= {theirs: positive(own, key) for key, theirs in POSITIVE.items()}
    heads = config["num_attention_heads"]
    config["num_key_value_heads"] = whole(own, "attention.head_count_kv") if "attention.head_count_kv" in own else heads
    sizes = {whole(own, key) for key in HEAD_SIZES if key in own} or {config["hidden_size"] // heads}
    if len(sizes) > 1:
        raise ValueError(
            f"{', '.join(HEAD_SIZES)} are {sorted(sizes)}: heads of one size, turned as a whole, are supported"
        )
    return config | {
        "architectures": [ARCHITECTURES[name]],
        "model_type": name,
        "head_dim": sizes.pop(),
        "hidden_act": "silu",
        "vocab_size": vocab_size,
    }


def check_known(own: Mapping[str, Any]) -> None:
    """Raises ValueError for keys of the architecture that nothing here understands."""
    known = {*WHOLE, *POSITIVE, *HEAD_SIZES, "attention.head_count_kv"}
    for key, value in own.items():
        if key in NEUTRAL and NEUTRAL[key] in (None, value):
            continue
        if key not in known:
            raise ValueError(f"{key[:40]} is {str(value)[:40]!r}: only what a Llama or a Qwen has is supported")


def whole(own: Mapping[str, Any], key: str) -> int:
    found = own.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= LARGEST:
        raise ValueError(f"{key} is a whole number from 1 to {LARGEST}, not {str(found)[:40]!r}")
    return found


def positive(own: Mapping[str, Any], key: str) -> float:
    found = own.get(key)
    if not isinstance(found, float) or not math.isfinite(found) or found <= 0:
        raise ValueError(f"{key} is a positive number, not {str(found)[:40]!r}")
    return found
