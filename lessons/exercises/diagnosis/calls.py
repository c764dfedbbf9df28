"""With what a function was called: remembered while a test runs, and shown so that a student can try it."""

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

MOST_NUMBERS = 32
MOST_CALLS = 256
LONGEST = 300


@dataclass(frozen=True)
class Call:
    """One call: what it is called, what it was given as text, and what it gave."""

    text: str
    result: Any


@dataclass
class CallLog:
    """The calls of some functions, the latest last."""

    calls: list[Call] = field(default_factory=list)
    watched: list[tuple[Any, str, Any]] = field(default_factory=list)

    def watch(self, module: types.ModuleType, targets: Sequence[str]) -> None:
        """From now on every call of these functions and methods is remembered. What is no plain function stays as it is."""
        for target in targets:
            *path, name = target.split(".")
            holder: Any = module
            for part in path:
                holder = getattr(holder, part, None)
            function = inspect.getattr_static(holder, name, None) if holder else None
            if isinstance(function, types.FunctionType):
                self.watched.append((holder, name, function))
                setattr(holder, name, self.remembering(function, target))

    def unwatch(self) -> None:
        """Everything as it was."""
        while self.watched:
            setattr(*self.watched.pop())

    def remembering(self, function: Callable[..., Any], target: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            text = call_text(function, target, given, named) if len(self.calls) < MOST_CALLS else ""
            self.calls.append(Call(text, None))
            place = len(self.calls) - 1
            result = function(*given, **named)
            if place < len(self.calls):
                self.calls[place] = Call(text, result)
            return result

        return called

    def told(self, result: Any = None, value: float | None = None) -> str:
        """The call that gave this result, or this number; else the last one. Empty without any."""
        known = [call for call in self.calls if call.text]
        for call in reversed(known):
            if result is not None and (call.result is result or is_part(result, call.result)):
                return call.text
        for call in known:
            if value is not None and isinstance(call.result, int | float) and np.isclose(float(call.result), value):
                return call.text
        return known[-1].text if known else ""


def is_part(result: Any, whole: Any) -> bool:
    return isinstance(whole, tuple | list) and any(part is result for part in whole)


def call_text(function: Callable[..., Any], target: str, given: Sequence[Any], named: dict[str, Any]) -> str:
    """causal_mask(length=3, past=2), and below it the tensors that are too long for a line."""
    try:
        arguments = inspect.signature(function).bind(*given, **named).arguments
    except (TypeError, ValueError):
        return ""
    short, long = [], []
    for name, value in arguments.items():
        if name == "self":
            continue
        text = value_text(value)
        if isinstance(value, Tensor) and value.dim():
            short.append(name)
            long.append(f"    {name} = {text}")
        else:
            short.append(f"{name}={text}")
    return "\n".join([f"{target}({', '.join(short)})", *long])


def value_text(value: Any) -> str:
    """A value as Python would write it, where it is short; else what it is."""
    if isinstance(value, Tensor):
        return tensor_text(value)
    if isinstance(value, nn.Module):
        return type(value).__name__
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, types.FunctionType | types.MethodType):
        return "a function"
    text = (
        " ".join(repr(value).split())
        if not type(value).__module__.startswith(("peft", "quant"))
        else type(value).__name__
    )
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def tensor_text(value: Tensor) -> str:
    if value.numel() > MOST_NUMBERS:
        return f"a tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    plain = value.detach().cpu()
    numbers = np.round(plain.double().numpy(), 4).tolist() if plain.is_floating_point() else plain.tolist()
    kind = "" if value.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={value.dtype}"
    return f"torch.tensor({numbers}{kind})"
