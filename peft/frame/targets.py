"""Target modules: how a config names the linear layers that it wants, as in Hugging Face PEFT.

A list holds exact paths or their last parts (`"q_proj"`), a string is a regular expression that must match the whole
path, and `"all-linear"` is every linear layer but the output projection.
"""

from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from peft.frame.config import PeftConfig
from peft.frame.expressions import matches
from peft.frame.paths import VOCABULARY, base_modules


def is_linear(module: nn.Module) -> bool:
    """A linear layer in full precision, or one in 4 bits, which can be dequantized."""
    return isinstance(module, nn.Linear) or hasattr(module, "dequantized")


def target_linears(
    config: PeftConfig, model: nn.Module, targets: str | Collection[str], excluded: Collection[str] = ()
) -> dict[str, nn.Module]:
    """The linear layers that `targets` names, within `config.sites`, in the model's order.

    Raises ValueError for a target or an exclusion that matches nothing, listing what there is.
    """
    return chosen(config, linears(model), targets, excluded, "linear layer")


def linears(model: nn.Module) -> dict[str, nn.Module]:
    """Every linear layer of the base by its path."""
    return {path: module for path, module in base_modules(model) if is_linear(module)}


def chosen(
    config: PeftConfig,
    modules: Mapping[str, nn.Module],
    targets: str | Collection[str],
    excluded: Collection[str],
    kind: str,
) -> dict[str, nn.Module]:
    """Those of `modules` that `targets` names and `excluded` does not, within `config.sites`."""
    check_named("target module", targets, modules, kind)
    check_named("exclude_modules", excluded, modules, kind)
    found = {
        path: module
        for path, module in modules.items()
        if is_named(targets, path) and config.covers(path) and not any(ends_in(path, name) for name in excluded)
    }
    if not found:
        raise ValueError(f"target modules {targets!r} leave nothing within the sites {', '.join(config.sites)}")
    return found


def check_named(
    what: str, targets: str | Collection[str], modules: Mapping[str, nn.Module], kind: str = "linear layer"
) -> None:
    """Raises ValueError for a target that none of all `modules` has, wherever the sites are, listing what there is."""
    for target in [targets] if isinstance(targets, str) else targets:
        wanted = targets if isinstance(targets, str) else [target]
        if not any(is_named(wanted, path) for path in modules):
            as_name = any(ends_in(path, target) for path in modules)
            hint = f"; a string is a pattern of a whole path, write [{target!r}]" if as_name else ""
            raise ValueError(f"{what} {target!r} matches no {kind}; there are {endings(modules)}{hint}")


def is_named(targets: str | Collection[str], path: str) -> bool:
    if isinstance(targets, str):
        return matches_whole(targets, path)
    return any(ends_in(path, target) for target in targets)


def matches_whole(pattern: str, path: str) -> bool:
    return path not in VOCABULARY if pattern == "all-linear" else matches(pattern, path, f"target_modules {pattern!r}")


def ends_in(path: str, name: str) -> bool:
    return path == name or path.endswith(f".{name}")


def endings(modules: Mapping[str, nn.Module]) -> str:
    return ", ".join(sorted({path.rsplit(".", 1)[-1] for path in modules}))


def pattern_value(patterns: Mapping[str, Any], path: str, default: Any) -> Any:
    """The value of the first pattern that a path matches: a path, its last parts, or a regular expression for them."""
    return next((value for pattern, value in patterns.items() if matches_end(pattern, path)), default)


def matches_end(pattern: str, path: str) -> bool:
    return matches(rf"(.*\.)?({pattern})", path, f"pattern {pattern!r}")


def check_patterns(patterns: Mapping[str, Any], targets: Mapping[str, nn.Module]) -> None:
    """Raises ValueError for a pattern that no target matches."""
    for pattern in patterns:
        if not any(matches_end(pattern, path) for path in targets):
            raise ValueError(f"pattern {pattern!r} matches no target; there are {', '.join(targets)}")
