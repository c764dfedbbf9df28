"""Reading config.json: what a setting is called here, and which settings would need blocks that we do not have."""

from collections.abc import Mapping
from reprlib import repr as in_short
from typing import Any

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def require(values: Mapping[str, Any], *names: str) -> list[Any]:
    """The values of settings that have no default. Raises ValueError, naming all that are missing."""
    if missing := [name for name in names if values.get(name) is None]:
        raise ValueError(f"config.json lacks {', '.join(missing)}")
    return [values[name] for name in names]


def same(values: Mapping[str, Any], *names: str) -> Any:
    """The one value of settings that are one number here. Raises ValueError where they differ or are missing."""
    found = require(values, *names)
    if any(value != found[0] for value in found):
        raise ValueError(f"{', '.join(names)} must be equal: one number serves both sides here, not {found}")
    return found[0]


def refuse_unless(values: Mapping[str, Any], **expected: Any) -> None:
    """Raises ValueError for a setting under which HF's model computes something that our blocks do not."""
    for name, value in expected.items():
        if values.get(name, value) != value:
            raise ValueError(f"config.json has {name} {in_short(values[name])}: only {value!r} is supported")


def activation(name: Any) -> str:
    """Our name of an activation. Raises ValueError for one that we do not have."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"config.json has the activation {in_short(name)}; known are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def one_id(values: Mapping[str, Any], name: str) -> int:
    """A special token. Raises ValueError where there is none, or a list of several."""
    (value,) = require(values, name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if type(value) is not int:
        raise ValueError(f"config.json has {name} {in_short(value)}: one token id is supported")
    return value
