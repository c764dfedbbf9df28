"""Prompts and prefixes that travel: they name no layer, so a folder moves between Hugging Face's model and ours."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import peft
from tests.parity.language_models import LANGUAGE_MODELS
from transformer.learning.formats import read_json
from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity

CHECKPOINTS = {
    "BART": (
        "BartForConditionalGeneration",
        {"vocab_size": 29, "max_position_embeddings": 20, "d_model": 24, "encoder_layers": 2, "decoder_layers": 2}
        | {"encoder_ffn_dim": 40, "decoder_ffn_dim": 40, "encoder_attention_heads": 4, "decoder_attention_heads": 4},
    ),
    "BERT": (
        "BertModel",
        {"vocab_size": 29, "max_position_embeddings": 20, "hidden_size": 24, "num_hidden_layers": 2}
        | {"num_attention_heads": 3, "intermediate_size": 40},
    ),
    "GPT-2": (
        "GPT2LMHeadModel",
        {"vocab_size": 29, "n_embd": 24, "n_layer": 3, "n_head": 4, "n_inner": 40, "n_positions": 20}
        | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3},
    ),
}
ROTARY = ("Llama, tied", "Llama 3.1, untied", "Mistral, untied", "Qwen2, tied", "Qwen3, untied")
CHECKPOINTS |= {family: LANGUAGE_MODELS[family] for family in ROTARY}
DECODERS = ("GPT-2", *ROTARY)
TASKS = {"BART": "SEQ_2_SEQ_LM", "BERT": "FEATURE_EXTRACTION"} | dict.fromkeys(DECODERS, "CAUSAL_LM")
PROMPT = 5
PROMPT_TUNING = {"class": "PromptTuningConfig"}
P_TUNING = {"class": "PromptEncoderConfig", "encoder_hidden_size": 7}
PREFIX = {"class": "PrefixTuningConfig"}
TECHNIQUES = {
    "prompt tuning": PROMPT_TUNING,
    "P-Tuning, MLP": P_TUNING | {"encoder_reparameterization_type": "MLP"},
    "P-Tuning, LSTM": P_TUNING | {"encoder_reparameterization_type": "LSTM"},
    "prefix tuning": PREFIX | {"prefix_projection": True, "encoder_hidden_size": 7},
    "prefixes without a network": PREFIX | {"prefix_projection": False},
}
CASES = [(family, name) for family in CHECKPOINTS for name in TECHNIQUES if family in DECODERS or "prefix" not in name]


def random_inputs(family, pad_id):
    source = torch.randint(4, 29, (3, 7))
    if family not in DECODERS:
        source[1, 4:] = pad_id
    target = {"target": torch.randint(4, 29, (3, 5))} if family == "BART" else {}
    return {"source": source, "mask": (source != pad_id).long()} | target


def said(model, inputs):
    with torch.no_grad():
        return model(inputs["source"], *([inputs["target"]] if "target" in inputs else []))


@pytest.fixture(scope="module")
def travels(second_python, tmp_path_factory):
    """By family and technique: the checkpoint, our adapter and what it answers here, and HF's adapter."""
    models = [
        {"name": family, "architecture": architecture, "config": config, "seed": seed}
        for seed, (family, (architecture, config)) in enumerate(CHECKPOINTS.items())
    ]
    checkpoints = second_python("models", models)
    job, found = [], {}
    for family, name in CASES:
        checkpoint = checkpoints / family
        ours, theirs = (tmp_path_factory.mktemp(kind) for kind in ("ours", "theirs"))
        torch.manual_seed(len(job))
        model = load_pretrained(checkpoint)
        inputs = random_inputs(family, model.config.pad_id)
        save_file(inputs, ours / "inputs.safetensors")
        settings = dict(TECHNIQUES[name]) | {"num_virtual_tokens": PROMPT}
        adapted = peft.get_peft_model(model, getattr(peft, settings.pop("class"))(**settings)).eval()
        adapted.save_pretrained(ours)
        found[family, name] = checkpoint, inputs, said(adapted, inputs), ours, theirs
        case = {"kind": CHECKPOINTS[family][0], "base": str(checkpoint), "inputs": str(ours / "inputs.safetensors")}
        config = TECHNIQUES[name] | {"num_virtual_tokens": PROMPT, "task_type": TASKS[family]}
        # On an encoder-decoder its default is 2 p rows, of which it uses the first p
        config |= {"num_transformer_submodules": 1}
        job.append(case | {"adapter": str(ours)})
        job.append(case | {"adapter": str(theirs), "config": config, "seed": len(job)})
    second_python("adapters", job)
    return found


def words(outputs, inputs):
    """What HF's model answers for the words alone; its output has the prompt in front of them too."""
    return outputs if "target" in inputs else outputs[:, -inputs["source"].shape[1] :]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_our_prompt_works_in_hf_peft(family, name, travels, row):
    _, inputs, here, ours, _ = travels[family, name]

    there = load_file(ours / "outputs.safetensors")

    assert read_json(ours / "adapter_config.json")["task_type"] == TASKS[family]
    adapted = words(there["adapted"], inputs)
    difference = (here - adapted).abs().max().item()
    row(f"{family}: {name}", "ours → HF's model", difference)
    assert (adapted - there["base"]).abs().max() > 0.05
    assert difference < 1e-5


@pytest.mark.parametrize(("family", "name"), CASES)
def test_a_prompt_of_hf_peft_works_here(family, name, travels, row):
    checkpoint, inputs, _, _, theirs = travels[family, name]
    there = load_file(theirs / "outputs.safetensors")

    model = peft.PeftModel.from_pretrained(load_pretrained(checkpoint), theirs)

    adapted = words(there["adapted"], inputs)
    difference = (said(model, inputs) - adapted).abs().max().item()
    row(f"{family}: {name}", "HF's model → ours", difference)
    assert (adapted - there["base"]).abs().max() > 0.05
    assert difference < 1e-5
