"""Adapters that travel between Hugging Face's model and ours, both with the numbers of one checkpoint."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import peft
from tests.parity.language_models import LANGUAGE_MODELS
from transformer.pretrained import adapter_from_hf, adapter_to_hf, load_pretrained

pytestmark = pytest.mark.parity

SIZES = {"vocab_size": 29, "max_position_embeddings": 20}
CHECKPOINTS = {
    "Marian": (
        "MarianMTModel",
        SIZES
        | {"d_model": 24, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 40, "decoder_ffn_dim": 40}
        | {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "scale_embedding": True}
        | {"pad_token_id": 28, "decoder_start_token_id": 28, "eos_token_id": 0, "activation_function": "swish"},
    ),
    "BERT": (
        "BertForMaskedLM",
        SIZES | {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40},
    ),
    "GPT-2": (
        "GPT2LMHeadModel",
        {"vocab_size": 29, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_inner": 40, "n_positions": 20}
        | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3},
    ),
}
ROTARY = ("Llama, tied", "Mistral, untied", "Qwen2, untied", "Qwen3, tied")
CHECKPOINTS |= {family: LANGUAGE_MODELS[family] for family in ROTARY}
DECODERS = ("GPT-2", *ROTARY)
LAYERS = {
    "Marian": (["q_proj", "v_proj", "fc1"], ["q_proj", "v_proj", "fc1"]),
    "BERT": (["query", "value", "intermediate.dense"], ["q_proj", "v_proj", "fc1"]),
    "GPT-2": (["c_attn", "mlp.c_proj"], ["q_proj", "k_proj", "v_proj", "fc2"]),
} | dict.fromkeys(ROTARY, (["q_proj", "o_proj", "v_proj", "gate_proj", "up_proj"], ["q_proj", "v_proj", "fc1", "fc3"]))
"""HF's names of some layers, and ours."""
SCALED = {
    "Marian": (["k_proj", "v_proj", "fc2"], ["fc2"], ["k_proj", "v_proj", "fc2"]),
    "BERT": (["key", "value", "output.dense"], ["output.dense"], ["k_proj", "v_proj", "out_proj", "fc2"]),
    "GPT-2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"], ["k_proj", "v_proj", "fc2"]),
} | dict.fromkeys(ROTARY, (["k_proj", "v_proj", "down_proj"], ["down_proj"], ["k_proj", "v_proj", "fc2"]))
NORMS = {
    "Marian": ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"],
    "BERT": ["LayerNorm"],
    "GPT-2": ["ln_1", "ln_2", "ln_f"],
} | {family: ["input_layernorm", "post_attention_layernorm", "model.norm"] for family in ROTARY}


def techniques(family: str) -> dict[str, tuple[dict, dict]]:
    """By name: HF's config, and ours."""
    theirs, ours = LAYERS[family]
    scaled, inputs, ours_scaled = SCALED[family]
    fan = {"fan_in_fan_out": family == "GPT-2"}
    lora = {"class": "LoraConfig", "r": 4, "lora_alpha": 6}
    vera = {"class": "VeraConfig", "r": 5, "d_initial": 0.3}
    patterns = {"rank_pattern": {theirs[-1]: 3}, "alpha_pattern": {theirs[0]: 9, theirs[-1]: 2}}
    our_patterns = {"rank_pattern": {ours[0]: 2}, "alpha_pattern": {ours[0]: 9}}
    pairs = {
        "LoRA": (lora | fan | {"target_modules": theirs}, lora | {"target_modules": ours}),
        "LoRA with patterns": (
            lora | fan | {"target_modules": theirs} | patterns,
            lora | {"target_modules": ours} | our_patterns,
        ),
        "LoRA on some of the layers": (
            lora | fan | {"target_modules": theirs[:1]},
            lora | {"target_modules": [ours[0], "v_proj"]},
        ),
        "rsLoRA": (
            lora | fan | {"target_modules": theirs, "use_rslora": True},
            lora | {"target_modules": ours, "use_rslora": True} | our_patterns,
        ),
        "DoRA": (
            lora | fan | {"target_modules": theirs, "use_dora": True},
            lora | {"target_modules": ours, "use_dora": True},
        ),
        "IA3": (
            {"class": "IA3Config", "target_modules": scaled, "feedforward_modules": inputs} | fan,
            {"class": "IA3Config", "target_modules": ours_scaled, "feedforward_modules": ours_scaled[2:]},
        ),
        "LayerNorm tuning": (
            {"class": "LNTuningConfig", "target_modules": NORMS[family]},
            {"class": "LNTuningConfig"},
        ),
    }
    if family != "GPT-2":
        pairs["VeRA"] = (vera | {"target_modules": theirs}, vera | {"target_modules": ours})
    return pairs


CASES = [(family, name) for family in CHECKPOINTS for name in techniques(family)]


def random_inputs(family: str, pad_id: int) -> dict[str, torch.Tensor]:
    source = torch.randint(4, 28, (3, 7))
    if family not in DECODERS:
        source[1, 4:] = pad_id
    target = {"target": torch.randint(4, 28, (3, 5))} if family == "Marian" else {}
    return {"source": source, "mask": (source != pad_id).long()} | target


def said(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model(inputs["source"], *([inputs["target"]] if "target" in inputs else []))


@pytest.fixture(scope="module")
def travels(second_python, tmp_path_factory):
    """By family and technique: the checkpoint, our adapter translated and what it answers here, and HF's adapter."""
    checkpoints = second_python(
        "models",
        [
            {"name": family, "architecture": architecture, "config": config, "seed": seed}
            for seed, (family, (architecture, config)) in enumerate(CHECKPOINTS.items())
        ],
    )
    job, found = [], {}
    for family, name in CASES:
        checkpoint = checkpoints / family
        ours, translated, theirs = (tmp_path_factory.mktemp(kind) for kind in ("ours", "translated", "theirs"))
        torch.manual_seed(len(job))
        model = load_pretrained(checkpoint)
        inputs = random_inputs(family, model.config.pad_id)
        save_file(inputs, ours / "inputs.safetensors")
        hf_config, our_config = techniques(family)[name]
        settings = dict(our_config)
        adapted = peft.get_peft_model(model, getattr(peft, settings.pop("class"))(**settings)).eval()
        with torch.no_grad():
            for parameter in adapted.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        adapted.save_pretrained(ours)
        adapter_to_hf(ours, translated, checkpoint)
        found[family, name] = checkpoint, inputs, said(adapted, inputs), translated, theirs
        case = {"kind": CHECKPOINTS[family][0], "base": str(checkpoint), "inputs": str(ours / "inputs.safetensors")}
        job.append(case | {"adapter": str(translated)})
        job.append(case | {"adapter": str(theirs), "config": hf_config, "seed": len(job)})
    second_python("adapters", job)
    return found


@pytest.mark.parametrize(("family", "name"), CASES)
def test_our_adapter_works_on_the_hf_model(family, name, travels, row):
    _, _, here, translated, _ = travels[family, name]

    there = load_file(translated / "outputs.safetensors")

    difference = (here - there["adapted"]).abs().max().item()
    row(f"{family}: {name}", "ours → HF's model", difference)
    assert (there["adapted"] - there["base"]).abs().max() > 0.05
    assert difference < 2e-5


@pytest.mark.parametrize(("family", "name"), CASES)
def test_an_adapter_of_hf_peft_works_on_our_model(family, name, travels, tmp_path, row):
    checkpoint, inputs, _, _, theirs = travels[family, name]
    there = load_file(theirs / "outputs.safetensors")

    adapter_from_hf(theirs, tmp_path, checkpoint)
    model = peft.PeftModel.from_pretrained(load_pretrained(checkpoint), tmp_path)

    difference = (said(model, inputs) - there["adapted"]).abs().max().item()
    row(f"{family}: {name}", "HF's model → ours", difference)
    assert (there["adapted"] - there["base"]).abs().max() > 0.05
    assert difference < 2e-5
