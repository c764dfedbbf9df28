"""Adapters that travel, on our own model class: saved here and loaded by Hugging Face PEFT, and the other way round."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import peft
from transformer import Transformer, TransformerConfig, load_model, save_model

pytestmark = pytest.mark.parity

CONFIG = TransformerConfig(
    vocab_size=31,
    d_model=24,
    num_heads=3,
    num_encoder_layers=1,
    num_decoder_layers=2,
    d_ff=40,
    dropout=0.0,
    max_length=16,
    norm="pre",
    positions="learned",
)
TARGETS = ["q_proj", "v_proj", "fc1"]
PATTERNS = {"rank_pattern": {"decoder.layers.1.cross_attention.q_proj": 2, "fc1": 5}, "alpha_pattern": {"fc1": 9}}
LORA = {"class": "LoraConfig", "r": 4, "lora_alpha": 6, "target_modules": TARGETS}
TECHNIQUES = {
    "LoRA": LORA,
    "rsLoRA": LORA | {"use_rslora": True},
    "DoRA": LORA | {"use_dora": True},
    "LoRA with patterns": LORA | PATTERNS,
    "DoRA with patterns": LORA | PATTERNS | {"use_dora": True},
    "PiSSA by conversion": LORA | {"init_lora_weights": "pissa"},
    "LoRA from a normal start": LORA | {"init_lora_weights": "gaussian"},
    "LoRA with a module saved whole": LORA | {"modules_to_save": ["decoder.norm"]},
    "LoRA on a regular expression": LORA
    | {"target_modules": r"decoder\.layers\.\d\.(cross_attention\.out_proj|feed_forward\.fc2)"},
    "IA3": {"class": "IA3Config", "target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]},
    "VeRA": {"class": "VeraConfig", "r": 5, "target_modules": TARGETS, "d_initial": 0.3},
    "VeRA without its projections": {
        "class": "VeraConfig",
        "r": 5,
        "target_modules": TARGETS,
        "save_projection": False,
    },
    "LayerNorm tuning": {"class": "LNTuningConfig", "target_modules": ["norm"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a base in which no number is 0 or 1, and inputs with padding."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(3)
    model = Transformer(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    save_model(model, folder)
    source = torch.randint(1, 31, (3, 7))
    source[1, 4:] = 0
    save_file({"source": source, "target": torch.randint(1, 31, (3, 5))}, folder / "inputs.safetensors")
    return folder


def adapter_of_ours(folder, base, settings):
    """A random adapter, saved; returns what the model with it says."""
    settings = dict(settings)
    model = peft.get_peft_model(load_model(base), getattr(peft, settings.pop("class"))(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return said(model, base)


def said(model, base):
    inputs = load_file(base / "inputs.safetensors")
    with torch.no_grad():
        return model(inputs["source"], inputs["target"])


@pytest.fixture(scope="module")
def travels(base, second_python, tmp_path_factory):
    """By technique: the folder with our adapter, what it answers here, and the folder with HF's."""
    job, found = [], {}
    for seed, (name, settings) in enumerate(TECHNIQUES.items()):
        ours, theirs = tmp_path_factory.mktemp("ours"), tmp_path_factory.mktemp("theirs")
        torch.manual_seed(seed)
        found[name] = ours, adapter_of_ours(ours, base, settings), theirs
        case = {"kind": "ours", "base": str(base), "inputs": str(base / "inputs.safetensors")}
        job.append(case | {"adapter": str(ours)})
        job.append(case | {"adapter": str(theirs), "config": settings, "seed": seed})
    second_python("adapters", job)
    return found


@pytest.mark.parametrize("name", TECHNIQUES)
def test_our_adapter_works_in_hf_peft(name, travels, row):
    folder, here, _ = travels[name]

    there = load_file(folder / "outputs.safetensors")

    difference = (here - there["adapted"]).abs().max().item()
    row(name, "ours → HF", difference)
    assert (there["adapted"] - there["base"]).abs().max() > 0.05
    assert difference < 1e-5


@pytest.mark.parametrize("name", TECHNIQUES)
def test_an_adapter_of_hf_peft_works_here(name, travels, base, row):
    *_, folder = travels[name]
    there = load_file(folder / "outputs.safetensors")

    model = peft.PeftModel.from_pretrained(load_model(base), folder)

    difference = (said(model, base) - there["adapted"]).abs().max().item()
    row(name, "HF → ours", difference)
    assert (there["adapted"] - there["base"]).abs().max() > 0.05
    assert difference < 1e-5
