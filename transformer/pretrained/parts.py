"""Where each of our tensors comes from: a published name, and what is done to what stands there.

A family is a table of such parts. Filling a model from it is strict: a tensor that is missing, that nothing asks for, or
that has another shape is refused, with the whole list.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from transformer.learning.checkpoint import distinct_state


@dataclass(frozen=True)
class Part:
    """One tensor of ours.

    `names`     where it stands; several names are several copies of one tied matrix, and the first that is there counts
    `take`      what is done to it
    `instead`   what is taken where none of the names is there; without it, that is an error
    """

    names: tuple[str, ...]
    take: Callable[[Tensor], Tensor] = torch.Tensor.contiguous
    instead: Callable[[], Tensor] | None = None


Parts = dict[str, Part]


@dataclass(frozen=True)
class Family:
    """How the checkpoints of one kind are read.

    `architectures`   the kinds of its models → what the names of their layers begin with
    `build`           config.json and changes → the model, not filled yet
    `parts`           that model → where its tensors come from
    `canonical`       a published name → the one that `parts` uses: without the beginning, which some files leave away
    `left_out`        pattern of names that belong to the family and that no model of ours uses (by default no name)
    `transposed`      whether the published layers hold their matrices as (in, out)
    """

    architectures: Mapping[str, str]
    build: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
    parts: Callable[[Any], Parts]
    canonical: Callable[[str], str]
    left_out: str = "(?!)"
    transposed: bool = False


def both(ours: str, theirs: str, take: Callable[[Tensor], Tensor] = torch.Tensor.contiguous) -> Parts:
    """The weight and the bias of a layer."""
    return {f"{ours}.{kind}": Part((f"{theirs}.{kind}",), take) for kind in ("weight", "bias")}


def renamed(pairs: Iterable[tuple[str, str]]) -> Parts:
    """Layers that are called something else, and no more."""
    return {name: part for ours, theirs in pairs for name, part in both(ours, theirs).items()}


def fill(model: nn.Module, family: Family, tensors: Mapping[str, Tensor], source: Any) -> None:
    """Copies the published tensors into the model. Raises ValueError with the list of all that do not fit."""
    published = {family.canonical(name): tensor for name, tensor in tensors.items()}
    wanted, parts = distinct_state(model), family.parts(model)
    values, problems = {}, []
    for ours, part in parts.items():
        present = [name for name in part.names if name in published]
        if present:
            first, *copies = present
            value = part.take(published[first])
            problems += [
                f"{copy} differs from {first}" for copy in copies if not published[copy].equal(published[first])
            ]
        elif part.instead is not None:
            first, value = "the table made here", part.instead()
        else:
            problems.append(f"missing {part.names[0]}")
            continue
        if value.shape != wanted[ours].shape:
            problems.append(f"{first} gives {ours} {tuple(value.shape)}, the config {tuple(wanted[ours].shape)}")
        values[ours] = value
    known = {name for part in parts.values() for name in part.names}
    unknown = [name for name in published if name not in known and not re.fullmatch(family.left_out, name)]
    problems += [f"unknown {name}" for name in sorted(unknown)]
    if len(published) < len(tensors):
        problems.append(f"{len(tensors) - len(published)} tensors under two names")
    if problems:
        raise ValueError(f"{source} does not fit its config.json: {'; '.join(problems)}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(values[name])
