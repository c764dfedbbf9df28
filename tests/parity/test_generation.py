"""Token for token: our `generate` and that of Hugging Face transformers, on many random models.

In float64, so that no rounding decides.
"""

import pytest
import torch
from safetensors.torch import load_file

from tests.parity.language_models import LANGUAGE_MODELS
from transformer import generate
from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity

SEEDS = range(8)
SHORT = 9
SETTINGS = {
    "greedy": {"max_new_tokens": SHORT},
    "beam 4, penalty 0.6": {"max_new_tokens": SHORT, "num_beams": 4, "length_penalty": 0.6},
    "beam 4, penalty 1": {"max_new_tokens": SHORT, "num_beams": 4, "length_penalty": 1.0},
    "beam 4, penalty 2": {"max_new_tokens": SHORT, "num_beams": 4, "length_penalty": 2.0},
    "beam 7, long": {"max_new_tokens": 15, "num_beams": 7},
}
ENCODER_DECODER = {
    "vocab_size": 13,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 24,
    "forced_eos_token_id": None,
}
MARIAN = {"pad_token_id": 12, "decoder_start_token_id": 12, "eos_token_id": 0, "scale_embedding": True}
GPT2 = {"vocab_size": 13, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 24, "n_positions": 24, "eos_token_id": 2}
PAPER = {
    "Marian": ("MarianMTModel", ENCODER_DECODER | MARIAN | {"activation_function": "swish"}),
    "BART": ("BartForConditionalGeneration", ENCODER_DECODER),
    "GPT-2": ("GPT2LMHeadModel", GPT2 | {"bos_token_id": 1, "pad_token_id": 3}),
    "GPT-2, padded with eos": ("GPT2LMHeadModel", GPT2 | {"bos_token_id": 2}),
}
FAMILIES = PAPER | {name: (kind, config | {"vocab_size": 13}) for name, (kind, config) in LANGUAGE_MODELS.items()}


@pytest.fixture(scope="module")
def answers(second_python):
    """By family: for every random model, the folder and what HF's `generate` answered."""
    job = [
        {"name": f"{family} {seed}", "architecture": architecture, "config": config, "seed": seed}
        | {"generate": SETTINGS, "eos_bias": (-1.0, 0.0, 1.5, 3.0)[seed % 4]}
        for family, (architecture, config) in FAMILIES.items()
        for seed in SEEDS
    ]
    folder = second_python("models", job)
    return {
        family: [
            (folder / f"{family} {seed}", load_file(folder / f"{family} {seed}" / "outputs.safetensors"))
            for seed in SEEDS
        ]
        for family in FAMILIES
    }


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_generation_is_equal_token_for_token(family, setting, answers, row):
    for folder, kept in answers[family]:
        model = load_pretrained(folder).double()

        for fast in (False, True) if family in PAPER else (False,):
            tokens = generate(model, kept["source"], fast=fast, **SETTINGS[setting])

            assert tokens.tolist() == kept[setting].tolist(), f"{folder.name}, {setting}, fast={fast}"
    row(f"{family}: generate, {setting}", "HF's checkpoint → ours", "equal")


@pytest.mark.parametrize("family", PAPER)
def test_the_random_models_end_early_and_late_and_at_different_times(family, answers):
    start = 1 if family in ("Marian", "BART") else 6
    eos_id = FAMILIES[family][1].get("eos_token_id", 2)
    lengths = []
    for _, kept in answers[family]:
        ended = (kept["beam 4, penalty 1"][:, start:] == eos_id).int()
        lengths.append(torch.where(ended.any(dim=1), ended.argmax(dim=1) + 1, SHORT))

    lengths = torch.stack(lengths)

    assert (lengths < SHORT).any()
    assert (lengths == SHORT).any()
    assert (lengths.amin(dim=1) < lengths.amax(dim=1)).any()
