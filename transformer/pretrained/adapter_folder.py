"""The files of an adapter as Hugging Face PEFT writes them: adapter_config.json and adapter_model.safetensors.

A tensor's key is  base_model.model.LAYER.TENSOR , for example

    base_model.model.decoder.layers.0.self_attention.q_proj.lora_A.weight

VeRA's two random matrices belong to all layers and stand beside them.
"""

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from transformer.fields import in_one_line
from transformer.learning.one_save import read_both, write_both

CONFIG, TENSORS, START = "adapter_config.json", "adapter_model.safetensors", "base_model.model."
OURS_ALONE = "finetune_by_hand"
"""The key of the config under which stands what HF does not know; it names our layers, and does not travel."""
OF_A_LAYER = r"lora_[AB]\.weight|lora_magnitude_vector|ia3_l|vera_lambda_[bd]|ln_tuning_layers\.(?:weight|bias)"
SHARED = ("base_model.vera_A", "base_model.vera_B")

Tensors = dict[str, Tensor]
Layers = dict[str, Tensors]
"""A layer's path → its tensors by their short names, for example "lora_A.weight"."""


def read_adapter(folder: Path) -> tuple[dict[str, Any], Layers, Tensors]:
    """The config, the tensors of every layer, and those that all layers share.

    Raises ValueError for a tensor that belongs to no layer (a prompt) or to no technique that is known here.
    """
    config, tensors = read_both(folder / CONFIG, folder / TENSORS)
    layers: Layers = {}
    shared, unknown = {}, []
    for key, tensor in tensors.items():
        if key in SHARED:
            shared[key] = tensor
        elif match := re.fullmatch(rf"{re.escape(START)}(.+)\.({OF_A_LAYER})", key):
            layers.setdefault(match[1], {})[match[2]] = tensor
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f"{folder / TENSORS} holds tensors that cannot be given other names: {in_one_line(unknown)}")
    return config, layers, shared


def write_adapter(
    folder: Path, config: dict[str, Any], layers: Layers, shared: Tensors, alphas: dict[str, float]
) -> None:
    """Names every layer by its whole path in `target_modules`, and so the ranks and alphas that differ from the config's."""
    config = {name: value for name, value in config.items() if name != OURS_ALONE} | {"target_modules": sorted(layers)}
    if config["peft_type"] == "IA3":
        config["feedforward_modules"] = sorted(path for path, own in layers.items() if scales_inputs(own["ia3_l"]))
    if config["peft_type"] == "LORA":
        ranks = {path: len(own["lora_A.weight"]) for path, own in layers.items()}
        config["rank_pattern"] = {path: rank for path, rank in ranks.items() if rank != config["r"]}
        config["alpha_pattern"] = {path: alpha for path, alpha in alphas.items() if alpha != config["lora_alpha"]}
    keyed = {f"{START}{path}.{name}": tensor for path, own in layers.items() for name, tensor in own.items()}
    folder.mkdir(parents=True, exist_ok=True)
    write_both(folder / CONFIG, config, folder / TENSORS, keyed | shared)


def scales_inputs(ia3: Tensor) -> bool:
    """Whether an IA3 vector multiplies its layer's inputs (a row, 1 × d_in) and not its outputs (a column, d_out × 1)."""
    return len(ia3) == 1


def alpha_of(config: dict[str, Any], path: str) -> float:
    """A layer's alpha: of the first entry of `alpha_pattern` that the end of its path matches, or the config's."""
    patterns = (config.get("alpha_pattern") or {}).items()
    default = config.get("lora_alpha", 0.0)
    return next((alpha for pattern, alpha in patterns if re.fullmatch(rf"(.*\.)?({pattern})", path)), default)


def rank_power(config: dict[str, Any]) -> float:
    """p of LoRA's scale α / r^p: 1, or 1/2 with rsLoRA."""
    return 0.5 if config.get("use_rslora") else 1.0
