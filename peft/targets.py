"""Target modules: how a config names the linear layers that it wants, in the published library's way.

A list holds exact paths or their last parts (`"q_proj"`), a string is a regular expression that must match the whole
path, and `"all-linear"` is every linear layer but the output projection.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from peft.config import PeftConfig, base_modules


def is_linear(module: nn.Module) -> bool:
    """A linear layer in full precision, or one in 4 bits, which can be dequantized."""
    return isinstance(module, nn.Linear) or hasattr(module, "dequantized")


def target_linears(
    config: PeftConfig, model: nn.Module, targets: str | Collection[str], excluded: Collection[str] = ()
) -> dict[str, nn.Module]:
    """The linear layers that `targets` names, within `config.sites`, in the model's order.

    Raises ValueError for a target that matches nothing, listing what there is.
    """
    linears = {path: module for path, module in base_modules(model) if is_linear(module)}
    chosen: set[str] = set()
    for target in [targets] if isinstance(targets, str) else targets:
        if isinstance(targets, str):
            matches = {path for path in linears if matches_whole(targets, path)}
        else:
            matches = {path for path in linears if ends_in(path, target)}
        if not matches:
            raise ValueError(f"target module {target!r} matches no linear layer; there are {endings(linears)}")
        chosen |= matches
    chosen = {path for path in chosen if config.covers(path) and not any(ends_in(path, name) for name in excluded)}
    if not chosen:
        raise ValueError(f"target modules {targets!r} leave nothing within the sites {', '.join(config.sites)}")
    return {path: linear for path, linear in linears.items() if path in chosen}


def matches_whole(pattern: str, path: str) -> bool:
    return path != "output" if pattern == "all-linear" else bool(re.fullmatch(pattern, path))


def ends_in(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def endings(modules: Mapping[str, nn.Module]) -> str:
    return ", ".join(sorted({path.rsplit(".", 1)[-1] for path in modules}))


def pattern_value(patterns: Mapping[str, Any], path: str, default: Any) -> Any:
    """The value of the first pattern that a path matches: a path, its last parts, or a regular expression for them."""
    return next((value for pattern, value in patterns.items() if matches_end(pattern, path)), default)


def matches_end(pattern: str, path: str) -> bool:
    return re.fullmatch(rf"(.*\.)?({pattern})", path) is not None


def check_patterns(patterns: Mapping[str, Any], targets: Mapping[str, nn.Module]) -> None:
    """Raises ValueError for a pattern that no target matches."""
    for pattern in patterns:
        if not any(matches_end(pattern, path) for path in targets):
            raise ValueError(f"pattern {pattern!r} matches no target; there are {', '.join(targets)}")
