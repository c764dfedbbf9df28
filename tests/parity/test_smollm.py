"""SmolLM2 in our blocks and in transformers' LlamaForCausalLM, on the same decoded weights and the same token ids.

transformers' own reading of the file's tokenizer differs from llama.cpp's, so the prompts are compared as ids.
"""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lessons.chat.model import open_model
from tests.smollm import SMOLLM, needs_smollm
from transformer import generate
from transformer.pretrained.gguf import read_gguf

pytestmark = [pytest.mark.parity, needs_smollm]

QUESTIONS = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "Write one sentence about a cat.",
    "Give me three tips for learning to cook.",
    "Translate 'good morning' into Spanish.",
    "What is 12 times 12?",
    "Who wrote Romeo and Juliet?",
    "Name three colours.",
    "Explain gravity to a child.",
    "What is the largest planet?",
    "Write a haiku about rain.",
    "How do I boil an egg?",
    "Rewrite in British spelling: The color of the theater is gray.",
    "Is this review good or bad? I loved every minute of it.",
    "What does a compiler do?",
    "List the days of the week.",
    "Who painted the Mona Lisa?",
    "What is the opposite of hot?",
    "Tell me a joke.",
    "Describe the sea in one sentence.",
)
NEW, POSITIONS, FAST = 64, 12, 5


@pytest.fixture(scope="module")
def chat():
    return open_model(SMOLLM)


@pytest.fixture(scope="module")
def prompts(chat):
    return [chat.ids([{"role": "user", "content": question}]) for question in QUESTIONS]


@pytest.fixture(scope="module")
def theirs(second_python, prompts, tmp_path_factory):
    folder, file = tmp_path_factory.mktemp("smollm"), read_gguf(SMOLLM)
    (folder / "config.json").write_text(json.dumps(file.config), encoding="utf-8")
    save_file({name: tensor.contiguous() for name, tensor in file.tensors.items()}, folder / "model.safetensors")
    job = {"prompts": prompts, "positions": POSITIONS, "max_new_tokens": NEW}
    return load_file(second_python("smollm", job, folder) / "outputs.safetensors")


def test_the_logits_of_every_prompt_are_equal(chat, prompts, theirs, row):
    with torch.no_grad():
        ours = [chat.model(torch.tensor([ids]))[0, -POSITIONS:] for ids in prompts]

    differences = [(one - theirs[f"{index}.logits"]).abs().max().item() for index, one in enumerate(ours)]
    row(f"SmolLM2, {len(prompts)} prompts", "GGUF → transformers and ours", max(differences))
    assert max(differences) < 1e-4


def test_the_greedy_tokens_of_every_prompt_are_equal(chat, prompts, theirs, row):
    for index, ids in enumerate(prompts):
        for fast in (False, True) if index < FAST else (False,):
            tokens = generate(chat.model, torch.tensor([ids]), NEW, fast=fast)

            assert tokens.tolist() == theirs[f"{index}.tokens"].tolist(), QUESTIONS[index]
    row(f"SmolLM2: generate, {NEW} tokens, {len(prompts)} prompts", "GGUF → transformers and ours", "equal")
