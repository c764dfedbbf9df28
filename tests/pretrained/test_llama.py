"""Llama, Mistral, Qwen2 and Qwen3: every tensor in its place, options by family, what is not carried refused; GGUF too."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from quant import LinearQ4
from tests.pretrained.gguf_files import small_tensors, small_values, write_gguf
from transformer import DecoderOnly, generate
from transformer.pretrained import load_pretrained
from transformer.pretrained.gguf import read_gguf

LLAMA, MISTRAL, QWEN_2, QWEN_3 = (f"{name}ForCausalLM" for name in ("Llama", "Mistral", "Qwen2", "Qwen3"))
CONFIG = {
    "vocab_size": 19,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "intermediate_size": 20,
    "max_position_embeddings": 32,
    "rms_norm_eps": 0.01,
    "rope_theta": 300.0,
    "head_dim": 4,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "tie_word_embeddings": False,
}
SHAPES = {
    "input_layernorm.weight": (12,),
    "post_attention_layernorm.weight": (12,),
    "self_attn.q_proj.weight": (24, 12),
    "self_attn.k_proj.weight": (8, 12),
    "self_attn.v_proj.weight": (8, 12),
    "self_attn.o_proj.weight": (12, 24),
    "mlp.gate_proj.weight": (20, 12),
    "mlp.up_proj.weight": (20, 12),
    "mlp.down_proj.weight": (12, 20),
}
OWN = {
    QWEN_2: {f"self_attn.{letter}_proj.bias": (24 if letter == "q" else 8,) for letter in "qkv"},
    QWEN_3: {f"self_attn.{letter}_norm.weight": (4,) for letter in "qk"},
}
OURS = {
    "self_attn": "self_attention",
    "o_proj": "out_proj",
    "mlp": "feed_forward",
    "gate_proj": "fc1",
    "up_proj": "fc3",
    "down_proj": "fc2",
    "input_layernorm": "self_attention_norm.norm",
    "post_attention_layernorm": "feed_forward_norm.norm",
}
IDS = torch.tensor([[4, 5, 6, 10]])


@pytest.fixture
def make_folder(tmp_path):
    """`make_folder(architecture, **settings)` writes a random checkpoint, and returns its folder and its tensors."""

    def make(architecture, **settings):
        config = CONFIG | {"architectures": [architecture]} | settings
        shapes = {"model.embed_tokens.weight": (19, 12), "model.norm.weight": (12,)}
        if not config["tie_word_embeddings"]:
            shapes["lm_head.weight"] = (19, 12)
        for index in range(2):
            layer = SHAPES | OWN.get(architecture, {})
            shapes |= {f"model.layers.{index}.{name}": shape for name, shape in layer.items()}
        tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file(tensors, tmp_path / "model.safetensors")
        return tmp_path, tensors

    return make


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", [LLAMA, MISTRAL, QWEN_2, QWEN_3])
def test_every_tensor_stands_in_its_place(architecture, tied, make_folder):
    folder, tensors = make_folder(architecture, tie_word_embeddings=tied)

    model = load_pretrained(folder)

    state = model.state_dict()
    for name, tensor in tensors.items():
        parts = name.removeprefix("model.").replace("layers.", "decoder.layers.").split(".")
        ours = ".".join(OURS.get(part, part) for part in parts)
        ours = {"embed_tokens.weight": "source_embedding.weight", "norm.weight": "decoder.norm.weight"}.get(ours, ours)
        assert torch.equal(state[ours.replace("lm_head", "output")], tensor), name
    assert (model.output.weight is model.source_embedding.weight) == tied
    assert len({id(p) for p in model.parameters()}) == len(tensors)
    assert type(model) is DecoderOnly
    assert not model.training
    assert all(p.requires_grad and not p.is_meta for p in model.parameters())
    assert generate(model, IDS, 3).shape[1] <= 7


def test_a_checkpoint_in_half_the_bits_becomes_float32(make_folder):
    folder, tensors = make_folder(LLAMA)
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")

    model = load_pretrained(folder)

    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_settings_become_the_config(make_folder):
    folder, _ = make_folder(LLAMA)

    config = load_pretrained(folder).config

    found = (config.rope_base, config.rope_factor, config.layer_norm_eps, config.num_kv_heads, config.head_size)
    assert found == (300.0, 1.0, 0.01, 2, 4)
    assert (config.pad_id, config.bos_id, config.eos_id, config.max_length) == (3, 1, 2, 32)


SLOWED = {"factor": 8.0, "low_freq_factor": 1.5, "high_freq_factor": 4.5, "original_max_position_embeddings": 20}


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 70.0} | SLOWED},
        {"rope_scaling": {"rope_type": "llama3"} | SLOWED, "rope_theta": 70.0},
        {"rope_scaling": {"type": "llama3"} | SLOWED, "rope_theta": 70.0},
    ],
)
def test_llama_3_1_s_slower_turns_are_carried(settings, make_folder):
    folder, _ = make_folder(LLAMA, **settings)

    config = load_pretrained(folder).config

    assert (config.rope_base, config.rope_factor, config.rope_original_length) == (70.0, 8.0, 20)
    assert (config.rope_low_freq_factor, config.rope_high_freq_factor) == (1.5, 4.5)


REFUSED = [
    (LLAMA, {"attention_bias": True}, "attention_bias True: only False is supported"),
    (LLAMA, {"mlp_bias": True}, "mlp_bias True"),
    (LLAMA, {"hidden_act": "tanh"}, "activation 'tanh'"),
    (LLAMA, {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rope_type 'yarn': only 'default' and 'llama3'"),
    (LLAMA, {"rope_scaling": {"type": "linear", "factor": 4.0}}, "rope_type 'linear'"),
    (
        LLAMA,
        {"rope_scaling": {"rope_type": "llama3", "factor": 4.0}},
        "'llama3': lacks high_freq_factor; lacks low_freq_factor; ",
    ),
    (
        LLAMA,
        {"rope_parameters": {"rope_type": "llama3", "odd": 1} | SLOWED},
        "'llama3': has odd, which is not known here",
    ),
    (
        LLAMA,
        {"rope_parameters": dict.fromkeys("hgfedcba", 1)},
        "'default': " + "; ".join(f"has {letter}, .*" for letter in "abcdefgh"),
    ),
    (LLAMA, {"rope_scaling": "linear"}, "rope_parameters 'linear': an object is expected"),
    (LLAMA, {"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
    (LLAMA, {"eos_token_id": [2, 5]}, r"any of \[2, 5\]: choose one, load_pretrained\(..., eos_id=...\)"),
    (LLAMA, {"eos_token_id": None}, "config.json lacks eos_token_id"),
    (LLAMA, {"final_logit_softcapping": 30.0}, "final_logit_softcapping 30.0"),
    (LLAMA, {"num_local_experts": 8}, "num_local_experts 8"),
    (LLAMA, {"quantization_config": {"bits": 4}}, "quantization_config"),
    (LLAMA, {"hidden_size": None}, "config.json lacks hidden_size"),
    (MISTRAL, {"sliding_window": 16}, "sliding_window of 16, and texts may have 32 tokens"),
    (QWEN_2, {"use_sliding_window": True, "sliding_window": 8}, "sliding_window of 8"),
    (QWEN_3, {"layer_types": ["full_attention", "sliding_attention"]}, "sliding_attention"),
    ("Qwen3MoeForCausalLM", {}, "names the architecture"),
    ("Gemma2ForCausalLM", {}, "names the architecture"),
]


@pytest.mark.parametrize(("architecture", "settings", "message"), REFUSED)
def test_what_our_blocks_do_not_carry_is_refused_by_name(architecture, settings, message, make_folder):
    folder, _ = make_folder(architecture, **settings)

    with pytest.raises(ValueError, match=message) as error:
        load_pretrained(folder)
    assert "\n" not in str(error.value)


def test_a_window_that_no_text_reaches_is_none(make_folder):
    folder, _ = make_folder(MISTRAL, sliding_window=16)

    assert load_pretrained(folder, max_length=16).config.max_length == 16


def test_a_window_that_is_switched_off_is_none(make_folder):
    folder, _ = make_folder(QWEN_2, use_sliding_window=False, sliding_window=8)

    assert load_pretrained(folder).config.qkv_bias


def test_an_end_token_can_be_chosen(make_folder):
    folder, _ = make_folder(LLAMA, eos_token_id=[2, 5])

    assert load_pretrained(folder, eos_id=5).config.eos_id == 5


def test_a_tied_matrix_may_stand_there_twice(make_folder):
    folder, tensors = make_folder(LLAMA, tie_word_embeddings=True)
    embedding = tensors["model.embed_tokens.weight"]
    save_file(tensors | {"lm_head.weight": embedding.clone()}, folder / "model.safetensors")
    load_pretrained(folder)

    save_file(tensors | {"lm_head.weight": embedding + 1.0}, folder / "model.safetensors")

    with pytest.raises(ValueError, match=r"lm_head\.weight differs from embed_tokens\.weight"):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.norm.weight": None}, "missing norm.weight"),
        ({"model.layers.0.self_attn.q_proj.bias": torch.ones(24)}, "unknown layers.0.self_attn.q_proj.bias"),
        (
            {"lm_head.weight": torch.ones(19, 11)},
            r"lm_head.weight gives output.weight \(19, 11\), the config \(19, 12\)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, message, make_folder):
    folder, tensors = make_folder(LLAMA)
    changed = {name: tensor for name, tensor in (tensors | change).items() if tensor is not None}
    save_file(changed, folder / "model.safetensors")

    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


def test_a_folder_has_nothing_that_could_stay_in_four_bits(make_folder):
    folder, _ = make_folder(LLAMA)

    with pytest.raises(ValueError, match=r"is no \.gguf file: its layers are not in four bits"):
        load_pretrained(folder, packed=LinearQ4.from_blocks)


@pytest.fixture
def make_gguf(tmp_path):
    def make(family="llama", kind="Q4_1", tied=True):
        tensors = small_tensors(np.random.default_rng(7), family, kind, tied)
        return write_gguf(tmp_path / "small.gguf", small_values(family), tensors)

    return make


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_gguf_is_the_folder_of_its_tensors(family, tied, make_gguf, tmp_path):
    path = make_gguf(family, tied=tied)
    file = read_gguf(path)
    (tmp_path / "config.json").write_text(json.dumps(file.config))
    save_file({name: tensor.contiguous() for name, tensor in file.tensors.items()}, tmp_path / "model.safetensors")

    model, wanted = load_pretrained(path), load_pretrained(tmp_path)

    assert model.config == wanted.config
    assert not model.training
    assert all(torch.equal(tensor, wanted.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(model(IDS), wanted(IDS))


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1"])
def test_layers_in_four_bits_can_stay_so(family, kind, make_gguf):
    path = make_gguf(family, kind, tied=False)
    plain = load_pretrained(path)

    model = load_pretrained(path, packed=partial(LinearQ4.from_blocks, compute_dtype=torch.float32))

    packed = [name for name, module in model.named_modules() if isinstance(module, LinearQ4)]
    assert len(packed) == 7 * 2 + 1
    assert all(module.minimum == (kind == "Q4_1") for module in model.modules() if isinstance(module, LinearQ4))
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    torch.testing.assert_close(model(IDS), plain(IDS), atol=1e-4, rtol=1e-5)


def test_other_formats_are_left_as_they_are(make_gguf):
    model = load_pretrained(make_gguf(kind="Q8_0"), packed=LinearQ4.from_blocks)

    assert not any(isinstance(module, LinearQ4) for module in model.modules())


def test_fields_of_a_gguf_s_config_can_be_changed(make_gguf):
    model = load_pretrained(make_gguf(), attention="fused", max_length=9)

    assert (model.config.attention, model.config.max_length) == ("fused", 9)
    with pytest.raises(ValueError, match="max_length is 9"):
        model(torch.full((1, 10), 4))
