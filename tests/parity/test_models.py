"""Random models of every family, made by Hugging Face transformers and read by us: the logits are equal."""

import pytest
import torch
from safetensors.torch import load_file

from tests.parity.language_models import LANGUAGE_MODELS
from transformer import DecoderOnly
from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity

ENCODER_DECODER = {
    "vocab_size": 29,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 20,
    "forced_eos_token_id": None,
}
MARIAN = ENCODER_DECODER | {
    "pad_token_id": 28,
    "decoder_start_token_id": 28,
    "eos_token_id": 0,
    "scale_embedding": True,
    "activation_function": "swish",
}
BERT = {
    "vocab_size": 29,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 20,
    "type_vocab_size": 3,
}
GPT2 = {"vocab_size": 29, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_inner": 40, "n_positions": 20}
GPT2 |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
CASES = {
    "Marian": ("MarianMTModel", MARIAN),
    "BART": ("BartForConditionalGeneration", ENCODER_DECODER),
    "BERT": ("BertModel", BERT),
    "BERT with masked words": ("BertForMaskedLM", BERT),
    "BERT as pretrained": ("BertForPreTraining", BERT),
    "GPT-2": ("GPT2LMHeadModel", GPT2),
} | LANGUAGE_MODELS


@pytest.fixture(scope="module")
def checkpoints(second_python):
    job = [
        {"name": name, "architecture": architecture, "config": config, "seed": seed}
        for seed, (name, (architecture, config)) in enumerate(CASES.items())
    ]
    return second_python("models", job)


@pytest.mark.parametrize("inputs", ["whole", "padded"])
@pytest.mark.parametrize("name", CASES)
def test_logits_equal_those_of_transformers(name, inputs, checkpoints, row):
    model = load_pretrained(checkpoints / name)
    kept = load_file(checkpoints / name / "outputs.safetensors")
    extra = [kept[f"{inputs}.{key}"] for key in ("target", "segments") if f"{inputs}.{key}" in kept]

    with torch.no_grad():
        output = model(kept[f"{inputs}.source"], *extra)

    wanted = kept[f"{inputs}.output"]
    if isinstance(model, DecoderOnly):  # what stands at padding in front is nobody's business
        real = kept[f"{inputs}.source"] != model.config.pad_id
        output, wanted = output[real], wanted[real]
    difference = (output - wanted).abs().max().item()
    row(f"{name}, {inputs}", "HF's checkpoint → ours", difference)
    assert wanted.std() > 0.1
    assert difference < (2e-5 if name in LANGUAGE_MODELS else 1e-5)
