"""Adapters between a published model and ours: the same numbers under other names.

An adapter that the published library trained on its own model names that model's layers. `adapter_to_ours` writes a
folder for the model that `load_pretrained` makes of the same checkpoint; `adapter_to_published` is the way back.
Prompts and prefixes name no layer and travel as they are.

Where a published layer is several of ours in one matrix (GPT-2), a low-rank update is cut along its output:

    [B_q; B_k; B_v] A → B_q A, B_k A, B_v A        and back        [B_q 0 0; 0 B_k 0; 0 0 B_v] [A_q; A_k; A_v]
"""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transformer.learning.checkpoint import read_json, read_tensors, write_json, write_tensors
from transformer.pretrained.layer_names import layer_names

CONFIG, TENSORS, START = "adapter_config.json", "adapter_model.safetensors", "base_model.model."
OURS = "finetune_by_hand"
KNOWN = r"lora_[AB]\.weight|lora_magnitude_vector|ia3_l|vera_lambda_[bd]|ln_tuning_layers\.(?:weight|bias)"
BY_OUTPUT = ("lora_B.weight", "lora_magnitude_vector", "ia3_l")
"""Tensors with a row for every output of their layer."""

Layers = dict[str, dict[str, Tensor]]


def adapter_to_ours(adapter: str | Path, out: str | Path, checkpoint: str | Path) -> None:
    """Writes into `out` what the published library trained on `checkpoint`, for `load_pretrained(checkpoint)`.

    Raises ValueError for layers that are not ours, or a tensor that cannot be carried over.
    """
    config, layers, shared = read_adapter(Path(adapter))
    names = layer_names(Path(checkpoint))
    found: Layers = {}
    alphas = {}
    for path, tensors in layers.items():
        places = names.ours(path)
        for index, place in enumerate(places):
            found[place] = {name: cut(tensor, name, index, len(places)) for name, tensor in tensors.items()}
            alphas[place] = alpha_of(config, path)
    write_adapter(Path(out), config | {"fan_in_fan_out": False}, found, shared, alphas)


def adapter_to_published(adapter: str | Path, out: str | Path, checkpoint: str | Path) -> None:
    """The inverse: what we trained on `load_pretrained(checkpoint)`, for the published library's model of it."""
    config, layers, shared = read_adapter(Path(adapter))
    names = layer_names(Path(checkpoint))
    found: Layers = {}
    alphas = {}
    for place in layers:
        path, places = names.published(place)
        if path not in found:
            found[path], alphas[path] = joined(config, {name: layers.get(name, {}) for name in places})
    write_adapter(Path(out), config | {"fan_in_fan_out": names.transposed}, found, shared, alphas)


def cut(tensor: Tensor, name: str, index: int, count: int) -> Tensor:
    """The part of a tensor that belongs to the `index`-th of `count` layers."""
    if count > 1 and name.startswith("vera"):
        raise ValueError("VeRA's random matrices are as large as the whole published layer, which is several of ours")
    if count == 1 or name not in BY_OUTPUT or (name == "ia3_l" and len(tensor) == 1):
        return tensor.clone()  # each layer's file entry has memory of its own
    return tensor.chunk(count)[index]


def joined(config: dict[str, Any], layers: Layers) -> tuple[dict[str, Tensor], float]:
    """Several of our layers as the published one, and its alpha. A layer without an adapter is left as it was."""
    (first, tensors), *others = [(name, tensors) for name, tensors in layers.items() if tensors]
    if len(layers) == 1:
        return tensors, alpha_of(config, first)
    if "ia3_l" in tensors:
        untouched = torch.ones_like(tensors["ia3_l"])
        return {"ia3_l": torch.cat([own.get("ia3_l", untouched) for own in layers.values()])}, 0.0
    if "lora_A.weight" not in tensors or ("lora_magnitude_vector" in tensors and len(others) + 1 < len(layers)):
        raise ValueError(f"{', '.join(layers)} are one layer there: adapt all of them, by LoRA, DoRA or IA3")
    scales = {name: scaling(config, name, own) for name, own in layers.items() if own}
    height = len(tensors["lora_B.weight"])
    ups = [
        own["lora_B.weight"] * (scales[name] / scales[first]) if own else torch.zeros(height, 0)
        for name, own in layers.items()
    ]
    result = {
        "lora_A.weight": torch.cat([own["lora_A.weight"] for own in layers.values() if own]),
        "lora_B.weight": torch.block_diag(*ups),
    }
    if "lora_magnitude_vector" in tensors:
        result["lora_magnitude_vector"] = torch.cat([own["lora_magnitude_vector"] for own in layers.values()])
    return result, scales[first] * len(result["lora_A.weight"]) ** power(config)


def power(config: dict[str, Any]) -> float:
    return 0.5 if config.get("use_rslora") else 1.0


def scaling(config: dict[str, Any], path: str, tensors: dict[str, Tensor]) -> float:
    return alpha_of(config, path) / len(tensors["lora_A.weight"]) ** power(config)


def alpha_of(config: dict[str, Any], path: str) -> float:
    """A layer's alpha: the first pattern that the end of its path matches, or the config's."""
    patterns = (config.get("alpha_pattern") or {}).items()
    default = config.get("lora_alpha", 0.0)
    return next((alpha for pattern, alpha in patterns if re.fullmatch(rf"(.*\.)?({pattern})", path)), default)


def read_adapter(folder: Path) -> tuple[dict[str, Any], Layers, dict[str, Tensor]]:
    """The config, the tensors of every layer, and those that all layers share."""
    tensors, _ = read_tensors(folder / TENSORS)
    layers: Layers = {}
    shared, unknown = {}, []
    for key, tensor in tensors.items():
        if key in ("base_model.vera_A", "base_model.vera_B"):
            shared[key] = tensor
        elif match := re.fullmatch(rf"{re.escape(START)}(.+)\.({KNOWN})", key):
            layers.setdefault(match[1], {})[match[2]] = tensor
        else:
            unknown.append(key)
    if unknown:
        raise ValueError(f"{folder / TENSORS} holds tensors that cannot be given other names: {', '.join(unknown)}")
    return read_json(folder / CONFIG), layers, shared


def write_adapter(
    out: Path, config: dict[str, Any], layers: Layers, shared: dict[str, Tensor], alphas: dict[str, float]
) -> None:
    """Every layer is named by its whole path, and so are the ranks and alphas that differ from the config's."""
    config = {name: value for name, value in config.items() if name != OURS} | {"target_modules": sorted(layers)}
    if config["peft_type"] == "IA3":
        inputs = [path for path, tensors in layers.items() if len(tensors["ia3_l"]) == 1]
        config["feedforward_modules"] = sorted(inputs)
    if config["peft_type"] == "LORA":
        ranks = {path: len(tensors["lora_A.weight"]) for path, tensors in layers.items()}
        config["rank_pattern"] = {path: rank for path, rank in ranks.items() if rank != config["r"]}
        config["alpha_pattern"] = {path: alpha for path, alpha in alphas.items() if alpha != config["lora_alpha"]}
    keyed = {f"{START}{path}.{name}": tensor for path, tensors in layers.items() for name, tensor in tensors.items()}
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(out / TENSORS, keyed | shared)
    write_json(out / CONFIG, config)
