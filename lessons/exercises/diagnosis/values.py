"""Values as a student could type them: what a function was called with, and what its object was made of."""

import dataclasses
import types
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MOST_NUMBERS = 32
LONGEST = 300


def value_text(value: Any) -> str:
    """A value as Python would write it, where it is short; else what it is."""
    if isinstance(value, Tensor):
        return tensor_text(value)
    if isinstance(value, nn.Module):
        return f"{type(value).__name__}({value.extra_repr()})"
    if isinstance(value, type):
        return value.__name__
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, types.FunctionType | types.MethodType):
        return "a function"
    if type(value) in (list, tuple):
        text = ", ".join(map(value_text, value))
        return shortened(f"[{text}]" if isinstance(value, list) else f"({text}{',' * (len(value) == 1)})")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return shortened(dataclass_text(value))
    text = " ".join(repr(value).split())
    return f"a {type(value).__name__}" if " object at 0x" in text else shortened(text)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def dataclass_text(value: Any) -> str:
    """The fields that are not what they are when nobody says anything."""
    told = [field for field in dataclasses.fields(value) if not is_default(getattr(value, field.name), field.default)]
    return (
        f"{type(value).__name__}({', '.join(f'{each.name}={value_text(getattr(value, each.name))}' for each in told)})"
    )


def is_default(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and not isinstance(value, Tensor) and value == default)


def tensor_text(value: Tensor) -> str:
    """torch.tensor([0.5, 1.0]), torch.zeros(3, 4), or its shape and type where that would be long."""
    plain = value.detach()
    kind = "" if value.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={value.dtype}"
    if plain.is_meta or plain.numel() > MOST_NUMBERS:
        return f"a tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    if plain.is_floating_point() and plain.dim() and not plain.any():
        text = f"torch.zeros({', '.join(map(str, plain.shape))}{kind})"
    else:
        plain = plain.cpu()
        numbers = np.round(plain.double().numpy(), 4).tolist() if plain.is_floating_point() else plain.tolist()
        text = f"torch.tensor({numbers}{kind})"
    if isinstance(value, nn.Parameter):
        return f"nn.Parameter({text})" if value.requires_grad else f"nn.Parameter({text}, requires_grad=False)"
    return text


def parameters_text(module: Any) -> list[str]:
    """self.weight = torch.tensor([...]), a line for each parameter of a module that has few numbers."""
    own = dict(module.named_parameters()) if isinstance(module, nn.Module) else {}
    if sum(each.numel() for each in own.values()) > MOST_NUMBERS:
        return []
    return [f"    self.{name} = {tensor_text(each.detach())}" for name, each in own.items()]
