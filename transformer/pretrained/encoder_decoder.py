"""What Marian and BART have in common: both are the paper's Transformer under the same names."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from transformer.config import TransformerConfig
from transformer.model import Transformer
from transformer.pretrained.origins import Origin, Origins, as_it_is, renamed
from transformer.pretrained.settings import activation, one_id, refuse_unless, require, same

LAYER = {
    "self_attention.q_proj": "self_attn.q_proj",
    "self_attention.k_proj": "self_attn.k_proj",
    "self_attention.v_proj": "self_attn.v_proj",
    "self_attention.out_proj": "self_attn.out_proj",
    "self_attention_norm.norm": "self_attn_layer_norm",
    "feed_forward.fc1": "fc1",
    "feed_forward.fc2": "fc2",
    "feed_forward_norm.norm": "final_layer_norm",
}
CROSS = {
    "cross_attention.q_proj": "encoder_attn.q_proj",
    "cross_attention.k_proj": "encoder_attn.k_proj",
    "cross_attention.v_proj": "encoder_attn.v_proj",
    "cross_attention.out_proj": "encoder_attn.out_proj",
    "cross_attention_norm.norm": "encoder_attn_layer_norm",
}
SHARED = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")


def build(values: Mapping[str, Any], changes: Mapping[str, Any], norm_embeddings: bool) -> Transformer:
    """The model of a config.json. Our `bos_id` is its `decoder_start_token_id`.

    `norm_embeddings`   whether a norm stands after the embeddings (BART)

    Raises ValueError for a setting that is missing or that our blocks do not carry.
    """
    refuse_unless(values, tie_word_embeddings=True, share_encoder_decoder_embeddings=True, normalize_before=False)
    vocab_size, d_model, encoder_layers, decoder_layers, max_length = require(
        values, "vocab_size", "d_model", "encoder_layers", "decoder_layers", "max_position_embeddings"
    )
    refuse_unless(values, decoder_vocab_size=vocab_size)
    fields = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "num_heads": same(values, "encoder_attention_heads", "decoder_attention_heads"),
        "num_encoder_layers": encoder_layers,
        "num_decoder_layers": decoder_layers,
        "d_ff": same(values, "encoder_ffn_dim", "decoder_ffn_dim"),
        "dropout": values.get("dropout", 0.1),
        "max_length": max_length,
        "activation": activation(values.get("activation_function", "gelu")),
        "positions": "learned",
        "scale_embeddings": bool(values.get("scale_embedding", False)),
        "pad_id": one_id(values, "pad_token_id"),
        "bos_id": one_id(values, "decoder_start_token_id"),
        "eos_id": one_id(values, "eos_token_id"),
        "norm_embeddings": norm_embeddings,
        "output_bias": True,
    }
    model = Transformer(TransformerConfig(**{**fields, **changes}))
    model.output.bias.requires_grad_(False)  # transformers keeps it as a constant
    return model


def origins(
    model: Transformer,
    positions: Callable[[Tensor], Tensor] = as_it_is,
    positions_if_missing: Callable[[], Tensor] | None = None,
) -> Origins:
    """Where the whole model comes from, but for norms after the embeddings.

    `positions`              their table of positions → ours
    `positions_if_missing`   makes our table where the checkpoint has none
    """
    config = model.config
    layers = [("encoder", index, LAYER) for index in range(config.num_encoder_layers)]
    layers += [("decoder", index, LAYER | CROSS) for index in range(config.num_decoder_layers)]
    pairs = [
        (f"{side}.layers.{index}.{ours}", f"{side}.layers.{index}.{theirs}")
        for side, index, names in layers
        for ours, theirs in names.items()
    ]
    return renamed(pairs) | {
        "source_embedding.weight": Origin(SHARED),
        "source_positions.weight": Origin(("encoder.embed_positions.weight",), positions, positions_if_missing),
        "target_positions.weight": Origin(("decoder.embed_positions.weight",), positions, positions_if_missing),
        "output.bias": Origin(("final_logits_bias",), torch.Tensor.flatten, lambda: torch.zeros(config.vocab_size)),
    }


def canonical(name: str) -> str:
    """Without the beginning, which the files of a body without a head leave out."""
    return name.removeprefix("model.")
