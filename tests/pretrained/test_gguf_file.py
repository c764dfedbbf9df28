"""A GGUF as a Hugging Face checkpoint: names, order of rows, settings, ids, four bits kept."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.pretrained.gguf_files import HEAD, HEADS, KV_HEADS, TOKENS, small_tensors, small_values, write_gguf
from tests.reference import ggml_blocks as reference
from tests.smollm import SMOLLM, needs_smollm
from transformer.pretrained.gguf import read_gguf


def decoded(tensors, name: str) -> np.ndarray:
    """What the file holds under GGUF's name, rows in its order."""
    kind, weights = tensors[name]
    return reference.decode(kind, reference.encode(kind, weights)).reshape(weights.shape)


def hf_order(rows: np.ndarray, heads: int) -> np.ndarray:
    """Row by row: HF's row i of the first half of a head is GGUF's 2 i, of the second half 2 i + 1."""
    size = len(rows) // heads
    order = [head * size + 2 * (i % (size // 2)) + i // (size // 2) for head in range(heads) for i in range(size)]
    return rows[order]


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0", "Q4_0", "Q4_1"])
def test_a_llama_has_hf_s_names_and_hf_s_order_of_rows(tmp_path, rng, kind):
    tensors = small_tensors(rng, kind=kind)

    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), tensors))

    same = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
        "model.layers.1.input_layernorm.weight": "blk.1.attn_norm.weight",
        "model.layers.0.post_attention_layernorm.weight": "blk.0.ffn_norm.weight",
        "model.layers.1.self_attn.v_proj.weight": "blk.1.attn_v.weight",
        "model.layers.0.self_attn.o_proj.weight": "blk.0.attn_output.weight",
        "model.layers.0.mlp.gate_proj.weight": "blk.0.ffn_gate.weight",
        "model.layers.0.mlp.up_proj.weight": "blk.0.ffn_up.weight",
        "model.layers.1.mlp.down_proj.weight": "blk.1.ffn_down.weight",
    }
    for theirs, name in same.items():
        assert np.array_equal(file.tensors[theirs].numpy(), decoded(tensors, name))
    for letter, heads in (("q", HEADS), ("k", KV_HEADS)):
        expected = hf_order(decoded(tensors, f"blk.1.attn_{letter}.weight"), heads)
        assert np.array_equal(file.tensors[f"model.layers.1.self_attn.{letter}_proj.weight"].numpy(), expected)
    assert len(file.tensors) == len(tensors)
    assert file.formats["model.layers.0.mlp.up_proj.weight"] == kind


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_a_qwen_s_rows_stay_where_they_are(tmp_path, rng, family):
    tensors = small_tensors(rng, family)

    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(family), tensors))

    q = file.tensors["model.layers.1.self_attn.q_proj.weight"].numpy()
    assert np.array_equal(q, decoded(tensors, "blk.1.attn_q.weight"))
    assert len(file.tensors) == len(tensors)
    own = {"qwen2": "k_proj.bias", "qwen3": "k_norm.weight"}[family]
    theirs = {"qwen2": "attn_k.bias", "qwen3": "attn_k_norm.weight"}[family]
    assert np.array_equal(file.tensors[f"model.layers.0.self_attn.{own}"].numpy(), tensors[f"blk.0.{theirs}"][1])


def test_settings_have_the_names_of_a_config_json(tmp_path, rng):
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng, tied=False)))

    assert file.config == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": 2,
        "max_position_embeddings": 128,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "rms_norm_eps": 2.0**-17,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "vocab_size": len(TOKENS),
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    assert file.tensors["lm_head.weight"].shape == (len(TOKENS), 64)


def test_the_vocabulary_and_the_template_are_read(tmp_path, rng):
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng)))

    assert file.tokenizer.tokens == TOKENS
    assert file.tokenizer.merges == [("a", "b"), ("Ġ", "ab")]
    assert (file.tokenizer.model, file.tokenizer.pre, file.tokenizer.add_bos) == ("gpt2", "smollm", False)
    assert (file.tokenizer.bos_id, file.tokenizer.eos_id, file.tokenizer.unk_id) == (1, 2, 0)
    assert "messages" in file.chat_template


def test_padding_is_never_the_end(tmp_path, rng):
    """The file says that it is, as SmolLM2's does: a loss that leaves out the padding would leave out every end."""
    values = small_values()
    assert values["tokenizer.ggml.padding_token_id"] == values["tokenizer.ggml.eos_token_id"]
    file = read_gguf(write_gguf(tmp_path / "a.gguf", values, small_tensors(rng)))
    assert file.tokenizer.pad_id == file.config["pad_token_id"] == 0

    own = values | {"tokenizer.ggml.padding_token_id": 3}
    assert read_gguf(write_gguf(tmp_path / "a.gguf", own, small_tensors(rng))).tokenizer.pad_id == 3


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1"])
@pytest.mark.parametrize("name", ["self_attn.q_proj", "mlp.down_proj"])
def test_what_stays_packed_is_the_same_matrix(tmp_path, rng, kind, name):
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng, kind=kind)))
    name = f"model.layers.1.{name}.weight"

    packed = file.packed(name)

    blocks = packed["codes"].view(len(packed["codes"]), -1, 16)
    codes = torch.cat([blocks & 15, blocks >> 4], dim=-1).float()
    scales = packed["scales"][..., None].float()
    weights = scales * codes + packed["minimums"][..., None].float() if kind == "Q4_1" else scales * (codes - 8)
    assert torch.equal(weights.flatten(1), file.tensors[name])


def test_what_stays_packed_takes_the_memory_of_its_bits_alone(tmp_path, rng):
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng)))

    packed = file.packed("model.layers.1.mlp.down_proj.weight")

    assert all(part.untyped_storage().nbytes() == part.nbytes for part in packed.values())


def test_only_what_is_kept_in_four_bits_can_stay_packed(tmp_path, rng):
    file = read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), small_tensors(rng)))
    with pytest.raises(ValueError, match=r"model\.embed_tokens\.weight is kept in Q8_0"):
        file.packed("model.embed_tokens.weight")
    with pytest.raises(KeyError, match="nothing"):
        file.packed("nothing")
    with pytest.raises(KeyError, match="nothing"):
        file.tensors["nothing"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"general.architecture": "gemma3"}, "general.architecture is 'gemma3'; known are llama, qwen2, qwen3"),
        ({"general.architecture": None}, "general.architecture is 'None'"),
        ({"general.quantization_version": 1}, "general.quantization_version is '1', not 2"),
        ({"split.count": 3}, "one of '3' parts"),
        ({"llama.expert_count": 8}, "expert_count is '8': only what a Llama or a Qwen has"),
        ({"llama.rope.scaling.type": "yarn"}, "rope.scaling.type is 'yarn'"),
        ({"llama.attention.sliding_window": 4096}, "attention.sliding_window is '4096'"),
        ({"llama.rope.dimension_count": 8, "llama.attention.key_length": 16}, r"are \[8, 16\]: heads of one size"),
        ({"llama.block_count": 0}, "block_count is a whole number from 1"),
        ({"llama.block_count": 2**24}, "block_count is 16777216, and there are 20 tensors"),
        ({"llama.block_count": 20}, "missing blk.2.attn_norm.weight"),
        ({"llama.block_count": 2.0}, "block_count is a whole number"),
        ({"llama.embedding_length": None}, "embedding_length is a whole number from 1 to 16777216, not 'None'"),
        ({"llama.attention.head_count": [4, 4]}, "attention.head_count is a whole number"),
        ({"llama.rope.freq_base": float("nan")}, "rope.freq_base is a positive number, not 'nan'"),
        ({"llama.attention.layer_norm_rms_epsilon": 0.0}, "layer_norm_rms_epsilon is a positive number"),
        ({"llama.block_count": 1}, "unknown blk.1.attn_norm.weight; unknown .* and 1 more"),
        ({"llama.block_count": 3}, "missing blk.2.attn_norm.weight"),
        ({"llama.feed_forward_length": 64}, r"blk.0.ffn_gate.weight is \(96, 64\), the settings say \(64, 64\)"),
        ({"tokenizer.ggml.tokens": TOKENS[:-1], "tokenizer.ggml.token_type": None}, "10 tokens do not fit 11 rows"),
        ({"tokenizer.ggml.tokens": [*TOKENS[:-1], "a"]}, "tokens has 1 tokens twice"),
        ({"tokenizer.ggml.token_type": [1]}, "token_type gives each of 11 tokens a number from 1 to 6"),
        ({"tokenizer.ggml.merges": ["ab"]}, "merges holds 'ab', which is no pair"),
        ({"tokenizer.ggml.eos_token_id": 11}, "eos_token_id is the id of one of 11 tokens, not '11'"),
        ({"tokenizer.ggml.model": 3}, "model is a name, not '3'"),
        ({"tokenizer.chat_template": 3}, "tokenizer.chat_template is no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(tmp_path, rng, changes, message):
    values = {key: value for key, value in (small_values() | changes).items() if value is not None}
    path = write_gguf(tmp_path / "a.gguf", values, small_tensors(rng))
    with pytest.raises(ValueError, match=message) as caught:
        read_gguf(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_tensor_is_refused_by_name(tmp_path, rng):
    """Llama 3.1 keeps the factors of its frequencies in one: left out, it would be another model."""
    tensors = small_tensors(rng) | {"rope_freqs.weight": ("F32", np.ones(8, np.float32))}
    with pytest.raises(ValueError, match=r"a\.gguf cannot be used: unknown rope_freqs\.weight"):
        read_gguf(write_gguf(tmp_path / "a.gguf", small_values(), tensors))


def test_a_file_without_a_vocabulary_has_weights_alone(tmp_path, rng):
    values = {key: value for key, value in small_values().items() if not key.startswith("tokenizer.")}
    file = read_gguf(write_gguf(tmp_path / "a.gguf", values, small_tensors(rng)))
    assert (file.tokenizer, file.chat_template, file.config["eos_token_id"]) == (None, None, None)


@needs_smollm
def test_smollm2_is_what_it_is_said_to_be():
    file = read_gguf(SMOLLM)
    config = file.config
    assert (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]) == (30, 576, 1536)
    assert (config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]) == (9, 3, 64)
    assert (config["rope_theta"], config["max_position_embeddings"], config["tie_word_embeddings"]) == (1e5, 8192, True)
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 0)
    assert sum(tensor.numel() for tensor in file.tensors.values()) == 134_515_008
    assert sorted(set(file.formats.values())) == ["F32", "Q4_1", "Q8_0"]


@pytest.mark.slow
@needs_smollm
def test_smollm2_s_weights_are_the_reference_s_to_the_last_bit():
    import gguf

    file = read_gguf(SMOLLM)
    theirs = {tensor.name: tensor for tensor in gguf.GGUFReader(SMOLLM).tensors}
    checked = {
        "token_embd.weight": ("model.embed_tokens.weight", 0),
        "blk.0.attn_q.weight": ("model.layers.0.self_attn.q_proj.weight", 9),
        "blk.29.attn_k.weight": ("model.layers.29.self_attn.k_proj.weight", 3),
        "blk.29.ffn_down.weight": ("model.layers.29.mlp.down_proj.weight", 0),
        "output_norm.weight": ("model.norm.weight", 0),
    }
    for name, (ours, heads) in checked.items():
        expected = gguf.dequantize(theirs[name].data, theirs[name].tensor_type)
        expected = hf_order(expected, heads) if heads else expected
        assert np.array_equal(
            file.tensors[ours].numpy().view(np.uint32), np.ascontiguousarray(expected).view(np.uint32)
        )


MEASURE = """
import resource, sys, time, torch
from transformer.pretrained.gguf import read_gguf
torch.zeros(1)
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
file = read_gguf(sys.argv[1])
weights = {name: file.tensors[name] for name in file.tensors}
peak = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
print(peak / sum(tensor.nbytes for tensor in weights.values()), time.process_time() - began)
"""


@needs_smollm
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux says it")
def test_loading_takes_no_more_than_the_weights_and_a_fifth():
    run = subprocess.run([sys.executable, "-c", MEASURE, SMOLLM], cwd=SMOLLM.parents[2], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    share, seconds = map(float, run.stdout.split())
    assert share < 1.2
    assert seconds < 3
