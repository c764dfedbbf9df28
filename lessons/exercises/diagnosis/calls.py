"""With what a function was called: remembered while a test runs, and shown so that a student can try it."""

import dataclasses
import functools
import inspect
import types
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from lessons.exercises.diagnosis.values import parameters_text, value_text

MOST_CALLS = 256


@dataclass(frozen=True)
class Call:
    """One call: what it is called, what it was given as text, and what it gave."""

    text: str
    result: Any


@dataclass
class CallLog:
    """The calls of some functions, the latest last.

    `made`   how the objects were made whose methods are watched
    """

    calls: list[Call] = field(default_factory=list)
    watched: list[tuple[Any, str, Any]] = field(default_factory=list)
    made: dict[int, tuple[weakref.ref[Any], str]] = field(default_factory=dict)

    def watch(self, module: types.ModuleType, targets: Sequence[str]) -> None:
        """From now on every call of these functions and methods is remembered. What is no plain function stays as it is."""
        for target in targets:
            *path, name = target.split(".")
            holder: Any = module
            for part in path:
                holder = getattr(holder, part, None)
            function = inspect.getattr_static(holder, name, None) if holder else None
            if isinstance(function, types.FunctionType):
                self.put(holder, name, self.remembering(function, target))
                if path and isinstance(holder, type):
                    self.put(holder, "__init__", self.remembering_how(inspect.getattr_static(holder, "__init__")))

    def put(self, holder: Any, name: str, function: Callable[..., Any]) -> None:
        self.watched.append((holder, name, vars(holder).get(name)))
        setattr(holder, name, function)

    def unwatch(self) -> None:
        """Everything as it was."""
        while self.watched:
            holder, name, before = self.watched.pop()
            if before is None:
                delattr(holder, name)
            else:
                setattr(holder, name, before)

    def remembering(self, function: Callable[..., Any], target: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            self.calls.append(Call(self.text(function, target, given, named), None))
            place = len(self.calls) - 1
            result = function(*given, **named)
            if place < len(self.calls):
                self.calls[place] = Call(self.calls[place].text, result)
            return result

        return called

    def remembering_how(self, init: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(init)
        def called(self_: Any, *given: Any, **named: Any) -> None:
            if len(self.made) < MOST_CALLS and not self.how(self_) and type(self_).__weakrefoffset__:
                text = call_text(init, type(self_).__name__, (self_, *given), named)
                self.made[id(self_)] = weakref.ref(self_), text
            init(self_, *given, **named)

        return called

    def how(self, thing: Any) -> str:
        """How it was made; empty where that is not known. An address may be used again, so the object itself is asked."""
        reference, text = self.made.get(id(thing), (None, ""))
        return text if reference is not None and reference() is thing else ""

    def text(self, function: Callable[..., Any], target: str, given: Sequence[Any], named: dict[str, Any]) -> str:
        """LayerNorm(d_model=5)(x), with the few numbers that the object holds; empty after many calls."""
        if len(self.calls) >= MOST_CALLS:
            return ""
        how = self.how(given[0]) if given and "." in target else ""
        if not how:
            return call_text(function, target, given, named)
        first, *made_of = how.split("\n")
        method = target.rpartition(".")[2]
        called = first if method == "forward" else f"{first}.{method}"
        return "\n".join([call_text(function, called, given, named), *made_of, *parameters_text(given[0])])

    def gave(self, result: Any) -> str:
        """The call that gave this result, or the only one; else empty: one of several may be another."""
        known = [call for call in self.calls if call.text]
        found = [call.text for call in known if call.result is result or is_part(result, call.result)]
        return found[-1] if found else known[0].text if len(known) == 1 else ""

    def told(self, result: Any = None, value: float | None = None) -> str:
        """The call that gave this result, or this number; else the last one. Empty without any."""
        known = [call for call in self.calls if call.text]
        if result is not None and (found := self.gave(result)):
            return found
        for call in known:
            if value is not None and isinstance(call.result, int | float) and np.isclose(float(call.result), value):
                return call.text
        return known[-1].text if known else ""


def is_part(result: Any, whole: Any) -> bool:
    """Of a pair, or a field of what holds its tensors by name."""
    if dataclasses.is_dataclass(whole):
        whole = [getattr(whole, field.name) for field in dataclasses.fields(whole)]
    return isinstance(whole, tuple | list) and any(part is result for part in whole)


def named_arguments(function: Callable[..., Any], given: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """Each argument by its name. Raises TypeError or ValueError for a call that cannot be."""
    arguments = inspect.signature(function).bind(*given, **named).arguments
    return {name: value for name, value in arguments.items() if name != "self"}


def call_text(function: Callable[..., Any], called: str, given: Sequence[Any], named: dict[str, Any]) -> str:
    """causal_mask(length=3, past=2), and below it the tensors that are too long for a line."""
    try:
        arguments = named_arguments(function, given, named)
    except (TypeError, ValueError):
        return ""
    short, long = [], []
    for name, value in arguments.items():
        text = value_text(value)
        if isinstance(value, Tensor) and value.dim():
            short.append(name)
            long.append(f"    {name} = {text}")
        else:
            short.append(f"{name}={text}")
    return "\n".join([f"{called}({', '.join(short)})", *long])
