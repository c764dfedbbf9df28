"""Llama, Mistral, Qwen2 (2.5 too) and Qwen3: decoders that were trained to continue text. SmolLM2 is a Llama.

What differs from the paper's decoder: no cross-attention, pre-norm order, RMSNorm, rotary positions, fewer heads of keys
and values than of queries, a gated feed forward, no biases. Among each other:

    Qwen2     biases on queries, keys and values
    Qwen3     an RMSNorm on each head's queries and keys

Our names for the feed forward: fc1 is gate_proj, fc3 is up_proj, fc2 is down_proj.

Papers    "The Llama 3 Herd of Models" (arXiv 2407.21783); "Mistral 7B" (arXiv 2310.06825);
          "Qwen2.5 Technical Report" (arXiv 2412.15115); "Qwen3 Technical Report" (arXiv 2505.09388)
"""

from collections.abc import Mapping
from typing import Any

from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.pretrained.family import Family
from transformer.pretrained.origins import Origin, Origins
from transformer.pretrained.rope import rope_fields
from transformer.pretrained.settings import activation, one_id, refuse_unless, require

LAYER = {
    "self_attention.q_proj": "self_attn.q_proj",
    "self_attention.k_proj": "self_attn.k_proj",
    "self_attention.v_proj": "self_attn.v_proj",
    "self_attention.out_proj": "self_attn.o_proj",
    "self_attention.q_norm": "self_attn.q_norm",
    "self_attention.k_norm": "self_attn.k_norm",
    "self_attention_norm.norm": "input_layernorm",
    "feed_forward.fc1": "mlp.gate_proj",
    "feed_forward.fc2": "mlp.down_proj",
    "feed_forward.fc3": "mlp.up_proj",
    "feed_forward_norm.norm": "post_attention_layernorm",
}
OWN = {"Qwen2ForCausalLM": {"qkv_bias": True}, "Qwen3ForCausalLM": {"norm_heads": True}}
"""What a family has that the others do not."""


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> DecoderOnly:
    """The model of a config.json. A vocabulary without padding is padded with its end token.

    Raises ValueError for a setting that is missing or that our blocks do not carry.
    """
    vocab_size, d_model, num_heads, layers, d_ff, max_length = require(
        values,
        "vocab_size",
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "intermediate_size",
        "max_position_embeddings",
    )
    eos_id = changes["eos_id"] if "eos_id" in changes else end_token(values)
    bos_id, pad_id = (values.get(f"{name}_token_id") for name in ("bos", "pad"))
    fields = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "num_heads": num_heads,
        "num_encoder_layers": 0,
        "num_decoder_layers": layers,
        "d_ff": d_ff,
        "dropout": 0.0,
        "max_length": max_length,
        "activation": activation(values.get("hidden_act", "silu")),
        "norm": "pre",
        "positions": "rotary",
        "tie_embeddings": values.get("tie_word_embeddings", False),
        "scale_embeddings": False,
        "layer_norm_eps": values.get("rms_norm_eps", 1e-6),
        "pad_id": eos_id if pad_id is None else pad_id,
        "bos_id": eos_id if bos_id is None else bos_id,
        "eos_id": eos_id,
        "norm_kind": "rms",
        "num_kv_heads": values.get("num_key_value_heads"),
        "head_size": values.get("head_dim") or HEAD_SIZES.get(values["architectures"][0]),
        "bias": False,
        "gated": True,
        **rope_fields(values),
        **OWN.get(values["architectures"][0], {}),
    }
    config = TransformerConfig(**{**fields, **changes})
    check_carried(values, config.max_length)
    return DecoderOnly(config)


HEAD_SIZES = {"Qwen3ForCausalLM": 128}
"""What transformers takes where config.json says nothing; elsewhere hidden_size / num_attention_heads."""


def check_carried(values: Mapping[str, Any], max_length: int) -> None:
    """Raises ValueError, naming it, for what these models may have and our blocks do not.

    A window in which every token sees only its last neighbours is none where no text is longer.
    """
    refuse_unless(
        values,
        attention_bias=False,
        attention_dropout=0.0,
        mlp_bias=False,
        pretraining_tp=1,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        num_local_experts=None,
        num_experts=None,
        quantization_config=None,
    )
    window = values.get("sliding_window") if values.get("use_sliding_window", True) else None
    kinds = values.get("layer_types") or ["full_attention"]
    if window is None and set(kinds) != {"full_attention"}:
        raise ValueError(f"config.json has layers of the kinds {sorted(set(kinds))}: only full_attention is supported")
    if window is not None and window < max_length:
        raise ValueError(
            f"config.json has a sliding_window of {window}, and texts may have {max_length} tokens: windows are not "
            f"supported; load_pretrained(..., max_length={window}) never needs one"
        )


def end_token(values: Mapping[str, Any]) -> int:
    """The one that ends a text. Raises ValueError where there is none, and where one has to be chosen."""
    found = values.get("eos_token_id")
    if isinstance(found, list) and len(found) > 1:
        raise ValueError(f"config.json ends a text with any of {found}: choose one, load_pretrained(..., eos_id=...)")
    return one_id(values, "eos_token_id")


def origins(model: DecoderOnly) -> Origins:
    """Our decoder's tensors in the checkpoint, and no biases and head norms where the family has none."""
    ours = {name for name, _ in model.named_parameters()}
    pairs = {
        f"decoder.layers.{index}.{name}": f"layers.{index}.{theirs}"
        for index in range(model.config.num_decoder_layers)
        for name, theirs in LAYER.items()
    }
    pairs["decoder.norm"] = "norm"
    found = {
        f"{name}.{kind}": Origin((f"{theirs}.{kind}",))
        for name, theirs in pairs.items()
        for kind in ("weight", "bias")
        if f"{name}.{kind}" in ours
    }
    tied = model.config.tie_embeddings
    found["source_embedding.weight"] = Origin(("embed_tokens.weight", "lm_head.weight")[: 1 + tied])
    return found if tied else found | {"output.weight": Origin(("lm_head.weight",))}


def canonical(name: str) -> str:
    """Without the beginning of the body's names."""
    return name.removeprefix("model.")


FAMILY = Family(
    architectures=dict.fromkeys(
        ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"), "model."
    ),
    build=build,
    origins=origins,
    canonical=canonical,
    left_out=r"layers\.\d+\.self_attn\.rotary_emb\.inv_freq",
    assigned=True,
)
