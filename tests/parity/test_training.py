"""Training from the same start: ten AdamW steps of Hugging Face's model and of ours have the same losses and gradients."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import peft
from transformer import label_smoothed_cross_entropy, padding_mask
from transformer.pretrained import adapter_to_hf, load_pretrained

pytestmark = pytest.mark.parity

STEPS = 10
OPTIMIZER = {"lr": 3e-3, "betas": [0.9, 0.98], "eps": 1e-9, "weight_decay": 0.01}
MARIAN = {
    "vocab_size": 29,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 20,
    "pad_token_id": 28,
    "decoder_start_token_id": 28,
    "eos_token_id": 0,
    "scale_embedding": True,
    "activation_function": "swish",
    "dropout": 0.0,
}


def random_batches(config):
    """One batch for every step, with padding on both sides."""
    source = torch.randint(1, config.pad_id, (STEPS, 4, 8))
    labels = torch.randint(1, config.pad_id, (STEPS, 4, 6))
    for row, length in enumerate((8, 5, 3, 7)):
        source[:, row, length:] = config.pad_id
        labels[:, row, length - 2 :] = config.pad_id
    inputs = torch.full_like(labels, config.bos_id)
    inputs[..., 1:] = labels[..., :-1]
    mask = torch.stack([padding_mask(ids, config.pad_id)[:, 0, 0] for ids in source]).long()
    return {"source": source, "mask": mask, "inputs": inputs, "labels": labels}


@pytest.fixture(scope="module")
def checkpoint(second_python):
    case = {"name": "Marian", "architecture": "MarianMTModel", "config": MARIAN, "seed": 5}
    return second_python("models", [case]) / "Marian"


def both_train(model, checkpoint, second_python, **adapter):
    """The losses and gradient norms of ten steps, here and there, as the largest difference of each."""
    batches = random_batches(model.config)
    save_file(batches, checkpoint / "batches.safetensors")
    second_python("training", {"optimizer": OPTIMIZER} | adapter, checkpoint)
    kept = load_file(checkpoint / "losses.safetensors")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, **OPTIMIZER)
    losses, norms = [], []
    for step in range(STEPS):
        logits = model(batches["source"][step], batches["inputs"][step])
        loss = label_smoothed_cross_entropy(logits, batches["labels"][step], pad_id=model.config.pad_id)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, float("inf")))
        optimizer.step()
        losses.append(loss.detach())
    assert kept["losses"].std() > 0.05
    of_losses = (torch.stack(losses) - kept["losses"]).abs().max().item()
    return of_losses, (torch.stack(norms) / kept["norms"] - 1.0).abs().max().item()


def test_ten_steps_of_full_training_have_equal_losses_and_gradients(checkpoint, second_python, row):
    model = load_pretrained(checkpoint).train()

    of_losses, of_gradients = both_train(model, checkpoint, second_python)

    row("Marian: ten AdamW steps, losses", "same start, both train", of_losses)
    row("Marian: ten AdamW steps, gradient norms (relative)", "same start, both train", of_gradients)
    assert of_losses < 1e-5
    assert of_gradients < 1e-5


@pytest.mark.parametrize(
    ("name", "settings"), [("LoRA", {}), ("rsLoRA", {"use_rslora": True}), ("DoRA", {"use_dora": True})]
)
def test_ten_steps_with_an_adapter_have_equal_losses_and_gradients(
    name, settings, checkpoint, second_python, tmp_path, row
):
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj", "v_proj", "fc2"], **settings)
    model = peft.get_peft_model(load_pretrained(checkpoint), config).train()
    model.save_pretrained(tmp_path / "ours")
    adapter_to_hf(tmp_path / "ours", tmp_path / "theirs", checkpoint)

    of_losses, of_gradients = both_train(model, checkpoint, second_python, adapter=str(tmp_path / "theirs"))

    row(f"Marian: ten AdamW steps with {name}, losses", "same start, both train", of_losses)
    row(f"Marian: ten AdamW steps with {name}, gradient norms (relative)", "same start, both train", of_gradients)
    assert of_losses < 1e-5
    assert of_gradients < 1e-4
