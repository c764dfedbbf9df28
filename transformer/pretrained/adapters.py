"""Adapters between Hugging Face's model of a checkpoint and ours: the same numbers under other names.

An adapter that HF PEFT trained names the layers of HF's model. `adapter_from_hf` writes a folder for the model that
`load_pretrained` makes of the same checkpoint; `adapter_to_hf` is the way back. Prompts and prefixes name no layer and
travel as they are.

GPT-2 keeps query, key and value in one matrix, which is three layers of ours. A low-rank update is cut along its output:

    ΔW = s [B_q; B_k; B_v] A        becomes        ΔW_i = s B_i A

and three updates become one, of the sum of their ranks and with the first one's scale s = α / r:

    ΔW_i = s_i B_i A_i        become        ΔW = s diag(B_q, s_k/s B_k, s_v/s B_v) [A_q; A_k; A_v],   α = s (r_q + r_k + r_v)

With rsLoRA s is α / √r, and the last α is s √(r_q + r_k + r_v). The vectors of IA3 and DoRA are joined end to end.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from transformer.pretrained.adapter_folder import (
    Layers,
    Tensors,
    alpha_of,
    rank_power,
    read_adapter,
    scales_inputs,
    write_adapter,
)
from transformer.pretrained.layer_names import layer_names

BY_OUTPUT = ("lora_B.weight", "lora_magnitude_vector", "ia3_l")
"""Tensors with a row for every output of their layer."""


def adapter_from_hf(adapter: str | Path, out: str | Path, checkpoint: str | Path) -> None:
    """Takes an adapter that Hugging Face PEFT trained on `checkpoint`, and writes it for `load_pretrained(checkpoint)`.

    `adapter`      the folder that HF's `save_pretrained` wrote
    `out`          the folder to write; `PeftModel.from_pretrained(load_pretrained(checkpoint), out)` loads it

    Raises FileNotFoundError for a missing file, and ValueError for a layer that we do not have or a tensor that cannot
    be carried over.
    """
    config, layers, shared = read_adapter(Path(adapter))
    names = layer_names(Path(checkpoint))
    found: Layers = {}
    alphas = {}
    for theirs, tensors in layers.items():
        several = names.ours(theirs)
        for index, ours in enumerate(several):
            found[ours] = {name: cut(tensor, name, index, len(several)) for name, tensor in tensors.items()}
            alphas[ours] = alpha_of(config, theirs)
    write_adapter(Path(out), config | {"fan_in_fan_out": False}, found, shared, alphas)


def adapter_to_hf(adapter: str | Path, out: str | Path, checkpoint: str | Path) -> None:
    """Takes an adapter that we trained on `load_pretrained(checkpoint)`, and writes it for HF's model of the checkpoint.

    Raises FileNotFoundError for a missing file, and ValueError for a layer that the checkpoint does not have, or where
    some of our layers are one matrix there and their update is none of that matrix.
    """
    config, layers, shared = read_adapter(Path(adapter))
    names = layer_names(Path(checkpoint))
    found: Layers = {}
    alphas = {}
    for ours in layers:
        theirs, several = names.theirs(ours)
        if theirs not in found:
            found[theirs], alphas[theirs] = joined(config, {name: layers.get(name, {}) for name in several})
    write_adapter(Path(out), config | {"fan_in_fan_out": names.transposed}, found, shared, alphas)


def cut(tensor: Tensor, name: str, index: int, count: int) -> Tensor:
    """The part of a tensor that belongs to the `index`-th of `count` layers: rows of it, or all of it.

    Raises ValueError for VeRA on several layers.
    """
    if count > 1 and name.startswith("vera"):
        raise ValueError(
            "VeRA's random matrices are as large as the checkpoint's whole layer, which is several of ours"
        )
    if count == 1 or name not in BY_OUTPUT or (name == "ia3_l" and scales_inputs(tensor)):
        return tensor.clone()  # each layer's file entry has memory of its own
    return tensor.chunk(count)[index]


def joined(config: dict[str, Any], layers: Layers) -> tuple[Tensors, float]:
    """Those of our layers that are one layer there, as that layer, and its alpha (0 where the technique has none).

    `layers`   their tensors, none for a layer without an adapter: it is left as it was

    Raises ValueError for several layers of a technique that cannot be joined.
    """
    adapted = [path for path, own in layers.items() if own]
    tensors = layers[adapted[0]]
    if len(layers) == 1:
        return tensors, alpha_of(config, adapted[0])
    if "ia3_l" in tensors:
        untouched = torch.ones_like(tensors["ia3_l"])
        return {"ia3_l": torch.cat([own.get("ia3_l", untouched) for own in layers.values()])}, 0.0
    some_are_missing = len(adapted) < len(layers)
    if "lora_A.weight" not in tensors or ("lora_magnitude_vector" in tensors and some_are_missing):
        raise ValueError(f"{', '.join(layers)} are one layer there: adapt all of them, by LoRA, DoRA or IA3")
    return joined_updates(config, layers)


def joined_updates(config: dict[str, Any], layers: Layers) -> tuple[Tensors, float]:
    """Low-rank updates as one, and its alpha: the formula of this file's head."""
    ranks = {path: len(own["lora_A.weight"]) for path, own in layers.items() if own}
    scales = {path: alpha_of(config, path) / rank ** rank_power(config) for path, rank in ranks.items()}
    first = next(iter(scales))
    no_update = torch.zeros(len(layers[first]["lora_B.weight"]), 0)
    ups = [own["lora_B.weight"] * (scales[path] / scales[first]) if own else no_update for path, own in layers.items()]
    result = {
        "lora_A.weight": torch.cat([layers[path]["lora_A.weight"] for path in ranks]),
        "lora_B.weight": torch.block_diag(*ups),
    }
    if "lora_magnitude_vector" in layers[first]:
        result["lora_magnitude_vector"] = torch.cat([own["lora_magnitude_vector"] for own in layers.values()])
    return result, scales[first] * sum(ranks.values()) ** rank_power(config)
