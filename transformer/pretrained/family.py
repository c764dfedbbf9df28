"""A family of Hugging Face checkpoints: how its config.json and its tensors become one of our models.

Filling a model is strict: a tensor that is missing, that nothing asks for, or that has another shape is refused, with the
first of what does not fit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transformer.fields import in_one_line, the_first
from transformer.learning.checkpoint import distinct_state
from transformer.pretrained.origins import Origins
from transformer.token_model import TokenModel


@dataclass(frozen=True)
class Family:
    """What a family's file says of it.

    `architectures`   its model classes in transformers → what their layers' names begin with
    `build`           (config.json, changed fields of our config) → our model, not filled yet
    `origins`         that model → where its tensors come from
    `canonical`       a name in the checkpoint → the one that `origins` uses: some files leave the beginning out
    `left_out`        pattern of the names that belong to the family and that our model does not use (by default none)
    `transposed`      whether the family keeps its matrices as (in, out)
    `assigned`        whether its tensors become the model's own without a copy: each is one of ours as it is
    """

    architectures: Mapping[str, str]
    build: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
    origins: Callable[[Any], Origins]
    canonical: Callable[[str], str]
    left_out: str = "(?!)"
    transposed: bool = False
    assigned: bool = False


def fill(model: TokenModel, family: Family, tensors: Mapping[str, Tensor], source: Any) -> None:
    """Puts the checkpoint's tensors into our model: copies, or, on the meta device, where there is no room yet, as they are.

    `source`   what the message calls the checkpoint, its folder for example

    Raises ValueError with the first of what does not fit and how much more there is, and then copies nothing.
    """
    theirs = {family.canonical(name): tensor for name, tensor in tensors.items()}
    wanted, origins = distinct_state(model), family.origins(model)
    values: dict[str, Tensor] = {}
    problems: list[str] = []
    for ours, origin in origins.items():
        present = [name for name in origin.names if name in theirs]
        if present:
            first, *copies = present
            value = origin.take(theirs[first])
            problems += [f"{copy} differs from {first}" for copy in copies if not theirs[copy].equal(theirs[first])]
        elif origin.if_missing is not None:
            first, value = "the table made here", origin.if_missing()
        else:
            problems.append(f"missing {origin.names[0]}")
            continue
        if value.shape != wanted[ours].shape:
            problems.append(f"{first} gives {ours} {tuple(value.shape)}, the config {tuple(wanted[ours].shape)}")
        values[ours] = value
    known = {name for origin in origins.values() for name in origin.names}
    unknown = [name for name in theirs if name not in known and not re.fullmatch(family.left_out, name)]
    problems += [f"unknown {in_one_line([name])}" for name in sorted(unknown)]
    if len(theirs) < len(tensors):
        problems.append(f"{len(tensors) - len(theirs)} tensors under two names")
    if problems:
        raise ValueError(f"{source} does not fit its config.json: {the_first(problems)}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            if tensor.is_meta:
                path, _, key = name.rpartition(".")
                setattr(model.get_submodule(path), key, nn.Parameter(values[name].to(tensor.dtype)))
            else:
                tensor.copy_(values[name])
    model.tie_weights()
