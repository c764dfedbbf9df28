"""Where we differ on purpose: what Hugging Face PEFT computes, reproduced with our own parts, and why we do not."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import peft
from peft.huggingface.prefix_tuning import ShiftedPositions
from peft.prefix_tuning import PrefixAttend
from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity

PROMPT, LAYERS = 5, 4
SIZES = {
    "vocab_size": 29,
    "max_position_embeddings": 20,
    "d_model": 24,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
}
MARIAN = SIZES | {"pad_token_id": 28, "decoder_start_token_id": 28, "eos_token_id": 0, "scale_embedding": True}
TASK = {"num_virtual_tokens": PROMPT, "task_type": "SEQ_2_SEQ_LM"}
CASES = {
    "prefix": ("BART", {"class": "PrefixTuningConfig"} | TASK),
    "prompt": ("BART", {"class": "PromptTuningConfig"} | TASK),
    "scaled": ("Marian", {"class": "PromptTuningConfig", "num_transformer_submodules": 1} | TASK),
}


@pytest.fixture(scope="module")
def adapters(second_python, tmp_path_factory):
    """By case: the checkpoint, the folder of HF's adapter on it, and the inputs."""
    architectures = {"BART": "BartForConditionalGeneration", "Marian": "MarianMTModel"}
    models = [
        {"name": family, "architecture": architecture, "config": MARIAN if family == "Marian" else SIZES, "seed": 0}
        for family, architecture in architectures.items()
    ]
    checkpoints = second_python("models", models)
    source, target = torch.randint(4, 28, (2, 7)), torch.randint(4, 28, (2, 5))
    inputs = {"source": source, "mask": torch.ones_like(source), "target": target}
    save_file(inputs, checkpoints / "inputs.safetensors")
    found, job = {}, []
    for seed, (name, (family, config)) in enumerate(CASES.items()):
        folder = tmp_path_factory.mktemp(name)
        found[name] = checkpoints / family, folder, inputs
        case = {"kind": architectures[family], "base": str(checkpoints / family), "adapter": str(folder)}
        job.append(case | {"inputs": str(checkpoints / "inputs.safetensors"), "config": config, "seed": seed})
    second_python("adapters", job)
    return found


def largest(model, folder, inputs):
    with torch.no_grad():
        here = model(inputs["source"], inputs["target"])
    there = load_file(folder / "outputs.safetensors")
    assert (there["adapted"] - there["base"]).abs().max() > 0.01
    return (here - there["adapted"]).abs().max().item()


def test_prefixes_of_hf_peft_on_an_encoder_decoder_reach_half_the_layers_of_one_attention(adapters, row):
    """There, layer l of the decoder's self-attention gets the pair that belongs to layer 2 l mod L; no other attention
    gets any. The paper has three prefixes, one for each kind of attention, and so do we."""
    checkpoint, folder, inputs = adapters["prefix"]
    pairs = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"].chunk(LAYERS, dim=1)
    model = load_pretrained(checkpoint)
    for index, layer in enumerate(model.decoder.layers):
        layer.self_attention.attend = PrefixAttend(layer.self_attention.attend, pairs[2 * index % LAYERS])
    model.target_positions = ShiftedPositions(model.target_positions, PROMPT)

    difference = largest(model, folder, inputs)

    row("BART: HF's prefixes, wrong layers and all", "reproduced", difference)
    assert difference < 1e-5
    with pytest.raises(ValueError, match="cannot be read as three prefixes"):
        peft.PeftModel.from_pretrained(load_pretrained(checkpoint), folder)


def test_a_prompt_of_hf_peft_on_an_encoder_decoder_has_rows_that_nobody_reads(adapters, tmp_path, row):
    """By default it trains 2 p rows and puts the first p before the source. We have p, and refuse the others loudly."""
    checkpoint, folder, inputs = adapters["prompt"]
    prompt = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"]
    assert len(prompt) == 2 * PROMPT
    with pytest.raises(ValueError, match="keep its first 5 rows and set num_transformer_submodules to 1"):
        peft.PeftModel.from_pretrained(load_pretrained(checkpoint), folder)

    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"num_transformer_submodules": 1}))
    save_file({"prompt_embeddings": prompt[:PROMPT].clone()}, tmp_path / "adapter_model.safetensors")

    difference = largest(peft.PeftModel.from_pretrained(load_pretrained(checkpoint), tmp_path), folder, inputs)

    row("BART: the first half of HF's prompt", "HF's model → ours", difference)
    assert difference < 1e-5


def test_a_prompt_of_hf_peft_takes_the_scale_off_marian_s_words(adapters, row):
    """Marian multiplies its word vectors by √d, but not vectors that it is given, and with a prompt all are given.
    There the words lose their scale; here they keep it."""
    checkpoint, folder, inputs = adapters["scaled"]
    with_scale = largest(peft.PeftModel.from_pretrained(load_pretrained(checkpoint), folder), folder, inputs)
    model = load_pretrained(checkpoint)
    model.untie_weights()
    model.source_embedding.weight.data /= model.embedding_scale

    difference = largest(peft.PeftModel.from_pretrained(model, folder), folder, inputs)

    row("Marian: HF's prompt before unscaled words", "reproduced", difference)
    assert difference < 1e-5
    assert with_scale > 0.001
