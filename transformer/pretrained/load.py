"""`load_pretrained`: config.json says which family a folder is of, the family says the rest. So it is with a GGUF."""

from collections.abc import Callable, Mapping
from pathlib import Path
from reprlib import repr as in_short
from typing import Any

import torch
from torch import Tensor, nn

from transformer.embedding import positions
from transformer.learning.checkpoint import Undrawn
from transformer.pretrained import bart, bert, gpt2, llama, marian
from transformer.pretrained.family import Family, fill
from transformer.pretrained.folder import check_sizes, read_config, read_weights
from transformer.pretrained.gguf import GGUFFile, read_gguf
from transformer.pretrained.gguf.file import FOUR_BITS
from transformer.token_model import TokenModel

FAMILIES = {name: module.FAMILY for module in (marian, bart, bert, gpt2, llama) for name in module.FAMILY.architectures}
Packed = Callable[..., nn.Module]
"""Makes a linear layer of codes, scales, minimums and a bias: `quant.LinearQ4.from_blocks`."""


def load_pretrained(folder: str | Path, packed: Packed | None = None, **changes: Any) -> TokenModel:
    """The model of a Hugging Face folder or a GGUF, in evaluation mode: a Transformer, an EncoderOnly or a DecoderOnly.

    `folder`    holds config.json and model.safetensors, in one file or in shards, as transformers' `save_pretrained` writes
                them; or a file that ends in .gguf
    `packed`    of a GGUF's linear layers in four bits: what keeps them so, `quant.LinearQ4.from_blocks`; else all is float32
    `changes`   fields of the TransformerConfig to set otherwise, for example dropout=0.0 or attention="fused"

    Raises FileNotFoundError or ValueError, naming the file, the setting or the tensors, for one that does not fit.
    """
    folder = Path(folder)
    if folder.suffix == ".gguf":
        return load_gguf(read_gguf(folder), packed, changes)
    if packed is not None:
        raise ValueError(f"{folder} is no .gguf file: its layers are not in four bits, and cannot stay so")
    values = read_config(folder)
    family, _ = family_of(values, folder)
    tensors = read_weights(folder)
    check_sizes(values, tensors, folder / "config.json")
    model = empty(family, values, changes)
    fill(model, family, tensors, folder)
    return model.eval()


def load_gguf(file: GGUFFile, packed: Packed | None = None, changes: Mapping[str, Any] | None = None) -> TokenModel:
    """The same of a file whose header has been read. Each tensor is decoded once, and becomes the model's own."""
    family, _ = family_of(file.config, file.path)
    model = empty(family, file.config, changes or {})
    layers = {} if packed is None else linears(model, family, file)
    tensors = {name: unfilled(file, name) if name in layers else file.tensors[name] for name in file.tensors}
    fill(model, family, tensors, file.path)
    if packed is not None:
        for name, path in layers.items():
            model.set_submodule(path, packed(**file.packed(name), bias=model.get_submodule(path).bias))
    return model.eval()


def empty(family: Family, values: Mapping[str, Any], changes: Mapping[str, Any]) -> TokenModel:
    """The model, not filled yet, and without room for its weights where the family's become its own without a copy."""
    if not family.assigned:
        return family.build(values, changes)
    with torch.device("meta"), Undrawn():
        model = family.build(values, changes)
    model.source_positions = positions(model.config)  # no tensor of the checkpoint
    return model


def linears(model: nn.Module, family: Family, file: GGUFFile) -> dict[str, str]:
    """The tensors in four bits that are linear layers of ours → the layers' paths."""
    ours = {name: path for path, origin in family.origins(model).items() for name in origin.names}
    paths = {
        name: ours[family.canonical(name)].removesuffix(".weight")
        for name, kind in file.formats.items()
        if kind in FOUR_BITS
    }
    return {name: path for name, path in paths.items() if isinstance(model.get_submodule(path), nn.Linear)}


def unfilled(file: GGUFFile, name: str) -> Tensor:
    """A tensor of the right shape without memory, where another layer will stand."""
    return torch.empty(file.tensors.found[name][0].shape, device="meta")


def family_of(values: Mapping[str, Any], folder: Path) -> tuple[Family, str]:
    """The family and the architecture that a config.json names. Raises ValueError for one that is not known, or several."""
    names = values.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or names[0] not in list(FAMILIES):
        raise ValueError(
            f"{folder / 'config.json'} names the architecture {in_short(names)}; known are {', '.join(FAMILIES)}"
        )
    return FAMILIES[names[0]], names[0]
