"""Small folders as Hugging Face transformers writes them, made here from their names and shapes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

VOCAB, D, FF, PLACES = 11, 8, 12, 6

ENCODER_DECODER = {
    "vocab_size": VOCAB,
    "d_model": D,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": FF,
    "decoder_ffn_dim": FF,
    "max_position_embeddings": PLACES,
}
CONFIGS = {
    "MarianMTModel": ENCODER_DECODER
    | {"pad_token_id": 10, "decoder_start_token_id": 10, "eos_token_id": 0, "activation_function": "swish"},
    "BartForConditionalGeneration": ENCODER_DECODER
    | {"pad_token_id": 1, "decoder_start_token_id": 2, "eos_token_id": 2, "activation_function": "gelu"},
    "BertModel": {
        "vocab_size": VOCAB,
        "hidden_size": D,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": FF,
        "max_position_embeddings": PLACES,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    },
    "GPT2LMHeadModel": {
        "vocab_size": VOCAB,
        "n_embd": D,
        "n_layer": 1,
        "n_head": 2,
        "n_inner": FF,
        "n_positions": PLACES,
        "bos_token_id": 3,
        "eos_token_id": 3,
        "pad_token_id": None,
    },
}
CONFIGS["BertForMaskedLM"] = CONFIGS["BertModel"]


def linear(name: str, d_in: int, d_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (d_out, d_in), f"{name}.bias": (d_out,)}


def norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (D,), f"{name}.bias": (D,)}


def encoder_decoder_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"model.shared.weight": (VOCAB, D), "final_logits_bias": (1, VOCAB)}
    for side, attentions in (("encoder", ["self_attn"]), ("decoder", ["self_attn", "encoder_attn"])):
        layer = f"model.{side}.layers.0"
        for attention in attentions:
            for projection in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes |= linear(f"{layer}.{attention}.{projection}", D, D)
            shapes |= norm(f"{layer}.{attention}_layer_norm")
        shapes |= linear(f"{layer}.fc1", D, FF) | linear(f"{layer}.fc2", FF, D) | norm(f"{layer}.final_layer_norm")
    return shapes


def bart_shapes() -> dict[str, tuple[int, ...]]:
    shapes = encoder_decoder_shapes()
    for side in ("encoder", "decoder"):
        shapes |= norm(f"model.{side}.layernorm_embedding")
        shapes[f"model.{side}.embed_positions.weight"] = (PLACES + 2, D)
    return shapes


def bert_shapes() -> dict[str, tuple[int, ...]]:
    layer = "encoder.layer.0"
    return {
        "embeddings.word_embeddings.weight": (VOCAB, D),
        "embeddings.position_embeddings.weight": (PLACES, D),
        "embeddings.token_type_embeddings.weight": (2, D),
        **norm("embeddings.LayerNorm"),
        **linear(f"{layer}.attention.self.query", D, D),
        **linear(f"{layer}.attention.self.key", D, D),
        **linear(f"{layer}.attention.self.value", D, D),
        **linear(f"{layer}.attention.output.dense", D, D),
        **norm(f"{layer}.attention.output.LayerNorm"),
        **linear(f"{layer}.intermediate.dense", D, FF),
        **linear(f"{layer}.output.dense", FF, D),
        **norm(f"{layer}.output.LayerNorm"),
        **linear("pooler.dense", D, D),
    }


def masked_word_shapes() -> dict[str, tuple[int, ...]]:
    head = linear("cls.predictions.transform.dense", D, D) | norm("cls.predictions.transform.LayerNorm")
    encoder = {f"bert.{name}": shape for name, shape in bert_shapes().items() if "pooler" not in name}
    return encoder | head | {"cls.predictions.bias": (VOCAB,)}


def gpt2_shapes() -> dict[str, tuple[int, ...]]:
    """Matrices stand there as (in, out)."""
    shapes = {"transformer.wte.weight": (VOCAB, D), "transformer.wpe.weight": (PLACES, D)}
    for name, d_in, d_out in (
        ("attn.c_attn", D, 3 * D),
        ("attn.c_proj", D, D),
        ("mlp.c_fc", D, FF),
        ("mlp.c_proj", FF, D),
    ):
        shapes |= {f"transformer.h.0.{name}.weight": (d_in, d_out), f"transformer.h.0.{name}.bias": (d_out,)}
    return shapes | norm("transformer.h.0.ln_1") | norm("transformer.h.0.ln_2") | norm("transformer.ln_f")


SHAPES = {
    "MarianMTModel": encoder_decoder_shapes,
    "BartForConditionalGeneration": bart_shapes,
    "BertModel": bert_shapes,
    "BertForMaskedLM": masked_word_shapes,
    "GPT2LMHeadModel": gpt2_shapes,
}


@pytest.fixture
def make_folder(tmp_path) -> Callable[..., tuple[Path, dict[str, torch.Tensor]]]:
    """`make_folder(architecture, **settings)` writes a whole folder with random numbers; also gives its tensors."""

    def make(architecture: str, **settings: object) -> tuple[Path, dict[str, torch.Tensor]]:
        tensors = {name: torch.randn(shape) for name, shape in SHAPES[architecture]().items()}
        config = CONFIGS[architecture] | {"architectures": [architecture]} | settings
        (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        save_file(tensors, tmp_path / "model.safetensors")
        return tmp_path, tensors

    return make
