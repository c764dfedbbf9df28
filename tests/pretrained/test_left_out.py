"""What a config.json leaves out is what transformers takes there."""

import pytest

from tests.pretrained.conftest import CONFIGS
from tests.pretrained.test_llama import CONFIG
from transformer.pretrained import bart, bert, gpt2, llama

NEEDED = {
    "BertModel": ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                  "max_position_embeddings"],
    "GPT2LMHeadModel": ["vocab_size", "n_embd", "n_layer", "n_head", "n_positions", "bos_token_id", "eos_token_id"],
}  # fmt: skip


def needed(architecture, names=None):
    values = CONFIGS[architecture]
    return {name: values[name] for name in names or values} | {"architectures": [architecture]}


def llama_needed(architecture="LlamaForCausalLM", **more):
    names = ("vocab_size", "hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size")
    values = {name: CONFIG[name] for name in (*names, "max_position_embeddings", "eos_token_id")}
    return values | {"architectures": [architecture]} | more


CASES = {
    "BERT": (
        lambda: bert.build(needed("BertModel", NEEDED["BertModel"]), {}),
        {"dropout": 0.1, "activation": "gelu", "layer_norm_eps": 1e-12, "pad_id": 0, "num_segments": 2},
    ),
    "BART": (
        lambda: bart.FAMILY.build(needed("BartForConditionalGeneration"), {}),
        {"dropout": 0.1, "activation": "gelu", "layer_norm_eps": 1e-5},
    ),
    "GPT-2": (
        lambda: gpt2.build(needed("GPT2LMHeadModel", NEEDED["GPT2LMHeadModel"]), {}),
        {"dropout": 0.1, "activation": "gelu_tanh", "layer_norm_eps": 1e-5, "d_ff": 32, "pad_id": 3},
    ),
    "GPT-2 with padding": (lambda: gpt2.build(needed("GPT2LMHeadModel") | {"pad_token_id": 5}, {}), {"pad_id": 5, "d_ff": 12}),
    "Llama": (
        lambda: llama.build(llama_needed(), {}),
        {"dropout": 0.0, "activation": "silu", "layer_norm_eps": 1e-6, "pad_id": 2, "bos_id": 2, "tie_embeddings": False,
         "num_kv_heads": None, "head_size": None, "rope_base": 10000.0},
    ),
    "Llama with its ids": (
        lambda: llama.build(llama_needed(bos_token_id=4, pad_token_id=5, eos_token_id=[6]), {}),
        {"pad_id": 5, "bos_id": 4, "eos_id": 6},
    ),
    "Qwen3": (lambda: llama.build(llama_needed("Qwen3ForCausalLM"), {}), {"head_size": 128}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_config_leaves_out_is_what_transformers_takes(name):
    make, wanted = CASES[name]

    config = make().config

    assert {field: getattr(config, field) for field in wanted} == wanted
    assert not config.scale_embeddings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention_bias": True}, "attention_bias True"),
        ({"attention_dropout": 0.1}, "attention_dropout 0.1"),
        ({"mlp_bias": True}, "mlp_bias True"),
        ({"pretraining_tp": 2}, "pretraining_tp 2"),
        ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping 50.0"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping 30.0"),
        ({"num_local_experts": 8}, "num_local_experts 8"),
        ({"num_experts": 8}, "num_experts 8"),
        ({"quantization_config": {}}, "quantization_config"),
    ],
)
def test_what_a_language_model_may_have_and_ours_has_not_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        llama.build(llama_needed(**settings), {})


@pytest.mark.parametrize(
    "settings",
    [{"tie_word_embeddings": False}, {"scale_attn_weights": False}, {"add_cross_attention": True}],
)
def test_what_gpt2_may_have_and_ours_has_not_is_refused(settings):
    ((name, value),) = settings.items()
    with pytest.raises(ValueError, match=f"{name} {value}"):
        gpt2.build(needed("GPT2LMHeadModel") | settings, {})
