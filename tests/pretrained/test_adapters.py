"""Adapters under a HF's model's names, and back: nothing that is computed changes on the way."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from peft import IA3Config, LNTuningConfig, LoraConfig, PeftModel, VeraConfig, get_peft_model
from transformer.learning.formats import read_json
from transformer.pretrained import adapter_from_hf, adapter_to_hf, load_pretrained
from transformer.pretrained.adapter_folder import SHARED, read_adapter, write_adapter
from transformer.pretrained.adapters import cut

IDS = torch.tensor([[4, 5, 6, 7], [8, 9, 4, 5]])
EVERY_NAME = {"r": 2, "lora_alpha": 3, "rank_pattern": {"q_proj": 3}, "alpha_pattern": {"v_proj": 7}}
CONFIGS = {
    "LoRA": LoraConfig(**EVERY_NAME, target_modules=["q_proj", "k_proj", "v_proj", "fc1"]),
    "LoRA on two of three": LoraConfig(**EVERY_NAME, target_modules=["q_proj", "v_proj"]),
    "rsLoRA": LoraConfig(**EVERY_NAME, use_rslora=True, target_modules=["q_proj", "v_proj"]),
    "DoRA": LoraConfig(r=2, use_dora=True, target_modules=["q_proj", "k_proj", "v_proj"]),
    "IA3": IA3Config(),
    "LayerNorm tuning": LNTuningConfig(),
}


def adapted(folder, config, out):
    """A saved adapter with random numbers, and what the model with it says."""
    model = get_peft_model(load_pretrained(folder), config).eval()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(out)
    return said(model)


@torch.no_grad()
def said(model):
    return model(IDS, IDS) if hasattr(model, "target_embedding") else model(IDS)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("architecture", ["MarianMTModel", "BertForMaskedLM", "GPT2LMHeadModel"])
def test_there_and_back_changes_nothing(architecture, name, make_folder, tmp_path):
    folder, _ = make_folder(architecture)
    before = adapted(folder, CONFIGS[name], tmp_path / "ours")

    adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)
    adapter_from_hf(tmp_path / "theirs", tmp_path / "back", folder)

    after = said(PeftModel.from_pretrained(load_pretrained(folder), tmp_path / "back"))
    assert (before - said(load_pretrained(folder))).abs().max() > 0.01
    assert torch.allclose(before, after, atol=1e-4, rtol=1e-4)


def test_three_layers_become_the_blocks_of_one(make_folder, tmp_path):
    folder, _ = make_folder("GPT2LMHeadModel")
    adapted(folder, LoraConfig(r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"]), tmp_path / "ours")

    adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)

    layer = "base_model.model.transformer.h.0.attn.c_attn"
    tensors, config = (
        load_file(tmp_path / "theirs/adapter_model.safetensors"),
        read_json(tmp_path / "theirs/adapter_config.json"),
    )
    up = tensors[f"{layer}.lora_B.weight"]
    assert set(tensors) == {f"{layer}.lora_A.weight", f"{layer}.lora_B.weight"}
    assert up.shape == (24, 4)
    assert not up[:8, 2:].any()
    assert not up[8:16].any()
    assert not up[16:, :2].any()
    assert config["target_modules"] == ["transformer.h.0.attn.c_attn"]
    assert config["rank_pattern"] == {"transformer.h.0.attn.c_attn": 4}
    assert config["alpha_pattern"] == {"transformer.h.0.attn.c_attn": 6.0}
    assert config["fan_in_fan_out"] is True


def test_bert_s_head_stands_beside_its_body(make_folder, tmp_path):
    folder, _ = make_folder("BertForMaskedLM")
    adapted(
        folder, LoraConfig(target_modules=["encoder.layers.0.self_attention.q_proj", "output.dense"]), tmp_path / "ours"
    )

    adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)

    assert read_json(tmp_path / "theirs/adapter_config.json")["target_modules"] == [
        "bert.encoder.layer.0.attention.self.query",
        "cls.predictions.transform.dense",
    ]


def test_a_tensor_that_names_no_known_part_is_refused(make_folder, tmp_path):
    folder, _ = make_folder("BertModel")
    adapted(folder, CONFIGS["LoRA"], tmp_path / "ours")
    path = tmp_path / "ours/adapter_model.safetensors"
    save_file(load_file(path) | {"prompt_embeddings": torch.zeros(2, 8)}, path)

    with pytest.raises(ValueError, match="cannot be given other names: prompt_embeddings"):
        adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)


def test_a_layer_of_another_family_is_refused_with_those_that_there_are(make_folder, tmp_path):
    folder, _ = make_folder("BertModel")
    adapted(folder, CONFIGS["LoRA"], tmp_path / "ours")

    with pytest.raises(
        ValueError, match=r"no layer of this checkpoint; there are .*encoder\.layer\.0\.attention\.self\.query"
    ):
        adapter_from_hf(tmp_path / "ours", tmp_path / "back", folder)


def test_vera_on_a_fused_matrix_is_refused(make_folder, tmp_path):
    folder, _ = make_folder("GPT2LMHeadModel")
    config = VeraConfig(r=3, target_modules=["q_proj", "k_proj", "v_proj"])
    adapted(folder, config, tmp_path / "ours")

    with pytest.raises(ValueError, match=r"are one layer there: adapt all of them, by LoRA, DoRA or IA3"):
        adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)


def test_dora_on_a_part_of_a_fused_matrix_is_refused(make_folder, tmp_path):
    folder, _ = make_folder("GPT2LMHeadModel")
    adapted(folder, LoraConfig(r=2, use_dora=True, target_modules=["q_proj", "v_proj"]), tmp_path / "ours")

    with pytest.raises(ValueError, match="adapt all of them"):
        adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", folder)


def test_a_layer_s_part_of_a_tensor_is_cut_out_or_all_of_it():
    rows, row = torch.arange(6.0).view(6, 1), torch.arange(6.0).view(1, 6)

    assert cut(rows, "lora_B.weight", 1, 3).tolist() == [[2], [3]]
    assert cut(rows, "lora_B.weight", 0, 2).tolist() == [[0], [1], [2]]
    assert cut(rows, "lora_A.weight", 1, 3).tolist() == rows.tolist()
    assert cut(rows, "ia3_l", 2, 3).tolist() == [[4], [5]]
    assert cut(row, "ia3_l", 2, 3).tolist() == row.tolist()
    assert cut(rows, "lora_B.weight", 0, 1).tolist() == cut(rows, "vera_lambda_b", 0, 1).tolist() == rows.tolist()
    with pytest.raises(ValueError, match="VeRA's random matrices are as large"):
        cut(rows, "vera_lambda_b", 0, 2)


def test_an_adapter_is_written_into_a_folder_that_is_there_or_not(tmp_path):
    tensors = {"layer": {"ia3_l": torch.ones(1, 3)}}

    for _ in range(2):
        write_adapter(tmp_path / "a" / "b", {"peft_type": "IA3"}, tensors, {}, {})

    config, layers, shared = read_adapter(tmp_path / "a" / "b")
    assert config["target_modules"] == config["feedforward_modules"] == ["layer"]
    assert layers["layer"]["ia3_l"].tolist() == [[1, 1, 1]]
    assert shared == {}


def test_what_all_layers_share_stays_apart(tmp_path):
    config = {"peft_type": "VERA"}
    write_adapter(tmp_path, config, {"layer": {"vera_lambda_d": torch.ones(2)}}, {SHARED[0]: torch.zeros(2)}, {})

    assert read_adapter(tmp_path)[2][SHARED[0]].tolist() == [0, 0]
