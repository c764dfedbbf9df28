"""Quantizing a model: every linear layer becomes a Linear4bit, except where that would harm.

What stays as it is: layers named in `skip` (the output projection reads best in full precision), a matrix that two
modules share (a tied embedding), and every module that is not exactly an `nn.Linear`.
"""

from collections import Counter
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from quant.codebooks import NF4_CODEBOOK, codebook_name
from quant.direct_q4 import DirectQ4
from quant.linear import Linear4bit
from quant.linear_q4 import LinearQ4

DEFAULT_SKIP = ("output",)


def quantize_model(
    model: nn.Module,
    skip: tuple[str, ...] = DEFAULT_SKIP,
    codebook: Shaped[Tensor, "*levels"] = NF4_CODEBOOK,
    block_size: int = 64,
    compute_dtype: torch.dtype = torch.bfloat16,
    double_quant: bool = True,
) -> nn.Module:
    """Changes the model in place, layer by layer, and returns it: never are two whole copies in memory.

    `skip` names modules by their path or a run of parts of it: "output", "fc1", "encoder.layers.0".
    `linear_layers(model)` tells afterwards what was quantized. The other arguments are those of `Linear4bit.from_linear`.

    Raises ValueError for a model that holds 4-bit layers already, for nothing left to quantize, and for a name in
    `skip` that matches nothing (but for the default one, which many models do not have).
    """
    already = [path for path, module in model.named_modules() if isinstance(module, Linear4bit | LinearQ4 | DirectQ4)]
    if already:
        kind = type(model.get_submodule(already[0])).__name__
        raise ValueError(f"this model is quantized already: {already[0]} and {len(already) - 1} more are {kind}")
    check_skip(model, skip)
    chosen = [row.path for row in linear_layers(model) if row.kind == "linear" and not matches(row.path, skip)]
    if not chosen:
        raise ValueError(f"no nn.Linear is left to quantize inside {type(model).__name__} with skip={skip}")
    replaced: dict[nn.Linear, Linear4bit] = {}
    for path in chosen:
        linear = cast(nn.Linear, model.get_submodule(path))
        if linear not in replaced:
            replaced[linear] = Linear4bit.from_linear(linear, codebook, block_size, compute_dtype, double_quant)
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, replaced[linear])
    return model


@dataclass(frozen=True)
class LinearRow:
    """One linear layer.

    `path`     its place in the model, "encoder.layers.0.self_attention.q_proj"
    `shape`    (out_features, in_features)
    `kind`     a codebook's name, "q4_0" or "q4_1" of a GGUF, "direct" of a DirectQ4, "linear", or "tied" if another module
               shares its parameters
    `nbytes`   what its weight and bias take
    """

    path: str
    shape: tuple[int, int]
    kind: str
    nbytes: int


def linear_layers(model: nn.Module) -> list[LinearRow]:
    """Every linear layer below the model, quantized or not, with the bytes that its weight and bias take."""
    owners = Counter(id(parameter) for module in model.modules() for parameter in module.parameters(recurse=False))
    rows = []
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, Linear4bit):
            kind, nbytes = codebook_name(module.codebook), module.nbytes
        elif isinstance(module, LinearQ4):
            kind, nbytes = module.format, module.nbytes
        elif isinstance(module, DirectQ4):
            kind, nbytes = "direct", module.nbytes
        elif type(module) is nn.Linear and path:
            tied = any(owners[id(parameter)] > 1 for parameter in module.parameters())
            kind = "tied" if tied else "linear"
            nbytes = sum(parameter.nbytes for parameter in module.parameters())
        else:
            continue
        rows.append(LinearRow(path, (module.out_features, module.in_features), kind, nbytes))
    return rows


def matches(path: str, names: tuple[str, ...]) -> bool:
    """Whether a name is a run of whole parts of the path."""
    return any(f".{name}." in f".{path}." for name in names)


def check_skip(model: nn.Module, skip: tuple[str, ...]) -> None:
    """Raises TypeError for a string, ValueError for a name that matches no module of the model."""
    if isinstance(skip, str):
        raise TypeError(f'skip is a tuple of names, not a string: skip=("{skip}",)')
    paths = [path for path, _ in model.named_modules(remove_duplicate=False)]
    for name in skip:
        if name not in DEFAULT_SKIP and not any(matches(path, (name,)) for path in paths):
            linear = [row.path for row in linear_layers(model)]
            raise ValueError(f"skip names {name!r}, and no module is called so; the linear layers are {linear}")
