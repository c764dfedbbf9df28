"""An option that nothing reads is a lie: changed alone, every field of a config must change what comes out.

A table says for each field what it is changed to, and what must stand beside it so that it matters. A field without an
entry is a failing test, so that no new option comes without one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Change:
    """The other value of a field; `beside` holds what both runs have."""

    value: Any
    beside: Mapping[str, Any] = field(default_factory=dict)


def cases(config: type, changes: Mapping[str, Change]) -> list:
    """A case for every entry of a table."""
    return [pytest.param(config, name, change, id=f"{config.__name__}-{name}") for name, change in changes.items()]


def unlisted(config: type, *tables: Mapping[str, Any]) -> set[str]:
    """The fields of a config that stand in no table."""
    return {one.name for one in fields(config) if one.init and one.name != "_"}.difference(*tables)


def numbers(module: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, as they are now."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def same(first: Any, second: Any) -> bool:
    """Whether two results are equal to the last bit, names and shapes included."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)
