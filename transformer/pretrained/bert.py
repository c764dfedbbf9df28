"""BERT: an encoder that was trained to guess masked words; sentence encoders such as MiniLM are of this family.

What differs from the paper's encoder: learned positions, a vector for each segment, a norm after the embeddings, GELU.
The head for masked words comes along if the checkpoint has it; the pooler and the next-sentence head do not.

Paper     "BERT: Pre-training of Deep Bidirectional Transformers" (arXiv 1810.04805)
"""

from collections.abc import Mapping
from typing import Any

from transformer.config import TransformerConfig
from transformer.encoder_only import EncoderOnly, MaskedWordHead
from transformer.pretrained.family import Family
from transformer.pretrained.origins import Origin, Origins, renamed
from transformer.pretrained.settings import activation, refuse_unless, require

LAYER = {
    "self_attention.q_proj": "attention.self.query",
    "self_attention.k_proj": "attention.self.key",
    "self_attention.v_proj": "attention.self.value",
    "self_attention.out_proj": "attention.output.dense",
    "self_attention_norm.norm": "attention.output.LayerNorm",
    "feed_forward.fc1": "intermediate.dense",
    "feed_forward.fc2": "output.dense",
    "feed_forward_norm.norm": "output.LayerNorm",
}


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> EncoderOnly:
    """The model of a config.json. A plain BertModel has no head.

    Raises ValueError for a setting that is missing or that our blocks do not carry.
    """
    refuse_unless(
        values,
        tie_word_embeddings=True,
        position_embedding_type="absolute",
        is_decoder=False,
        add_cross_attention=False,
    )
    vocab_size, d_model, num_heads, layers, d_ff, max_length = require(
        values,
        "vocab_size",
        "hidden_size",
        "num_attention_heads",
        "num_hidden_layers",
        "intermediate_size",
        "max_position_embeddings",
    )
    fields = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "num_heads": num_heads,
        "num_encoder_layers": layers,
        "num_decoder_layers": 0,
        "d_ff": d_ff,
        "dropout": values.get("hidden_dropout_prob", 0.1),
        "max_length": max_length,
        "activation": activation(values.get("hidden_act", "gelu")),
        "positions": "learned",
        "scale_embeddings": False,
        "layer_norm_eps": values.get("layer_norm_eps", 1e-12),
        "pad_id": values.get("pad_token_id", 0),
        "norm_embeddings": True,
        "num_segments": values.get("type_vocab_size", 2),
    }
    config = TransformerConfig(**{**fields, **changes})
    return EncoderOnly(config, None if values["architectures"][0] == "BertModel" else MaskedWordHead(config))


def origins(model: EncoderOnly) -> Origins:
    """Our encoder's tensors in the checkpoint, and those of the head for masked words where the model has one."""
    pairs = [
        (f"encoder.layers.{index}.{ours}", f"encoder.layer.{index}.{theirs}")
        for index in range(model.config.num_encoder_layers)
        for ours, theirs in LAYER.items()
    ]
    found = renamed([*pairs, ("source_norm", "embeddings.LayerNorm")])
    words = ["embeddings.word_embeddings.weight"]
    if isinstance(model.output, MaskedWordHead):
        head = "cls.predictions"
        words.append(f"{head}.decoder.weight")
        found |= renamed([("output.dense", f"{head}.transform.dense"), ("output.norm", f"{head}.transform.LayerNorm")])
        found["output.words.bias"] = Origin((f"{head}.bias", f"{head}.decoder.bias"))
    return found | {
        "source_embedding.weight": Origin(tuple(words)),
        "source_positions.weight": Origin(("embeddings.position_embeddings.weight",)),
        "segment_embedding.weight": Origin(("embeddings.token_type_embeddings.weight",)),
    }


def canonical(name: str) -> str:
    """Without the beginning, which BertModel's own files leave out. The oldest files call a norm's weight gamma and its bias beta."""
    name = name.removeprefix("bert.")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


FAMILY = Family(
    architectures={"BertModel": "", "BertForMaskedLM": "bert.", "BertForPreTraining": "bert."},
    build=build,
    origins=origins,
    canonical=canonical,
    left_out=r"pooler\.dense\.(weight|bias)|cls\.seq_relationship\.(weight|bias)|embeddings\.position_ids",
)
