"""What a caller gets who says nothing: every default of every public name. One changes on purpose or not at all.

python -m tests.test_defaults        writes tests/defaults.json anew, after a change on purpose
"""

import inspect
import json
from pathlib import Path
from typing import Any

import peft
import quant
import rlhf
import transformer

KEPT = Path(__file__).with_name("defaults.json")
PACKAGES = (transformer, quant, peft, rlhf)


def defaults() -> dict[str, dict[str, str]]:
    """By public name: its arguments' defaults, as Python writes them; and what the recipes say."""
    found = {}
    for package in PACKAGES:
        for name in package.__all__:
            public = getattr(package, name)
            if callable(public) and (values := defaults_of(public)):
                found[f"{package.__name__}.{name}"] = values
            for method in methods_of(public):
                if values := defaults_of(getattr(public, method)):
                    found[f"{package.__name__}.{name}.{method}"] = values
    for name, recipe in peft.RECIPES.items():
        found[f"recipe {name}"] = {"settings": text(dict(recipe.settings)), "rates": text(recipe.rates)}
    return found


def methods_of(public: Any) -> list[str]:
    """The public methods that a class defines itself."""
    if not inspect.isclass(public):
        return []
    kinds = (classmethod, staticmethod)
    return [
        name
        for name, one in vars(public).items()
        if name[0] != "_" and (inspect.isfunction(one) or isinstance(one, kinds))
    ]


def defaults_of(function: Any) -> dict[str, str]:
    try:
        arguments = inspect.signature(function).parameters
    except ValueError:
        return {}
    return {name: text(a.default) for name, a in arguments.items() if a.default is not a.empty}


def text(value: Any) -> str:
    """Without what differs from run to run: an object's address."""
    written = repr(value)
    return type(value).__name__ if " at 0x" in written else " ".join(written.split())


def test_no_default_has_changed_by_accident():
    assert defaults() == json.loads(KEPT.read_text())


if __name__ == "__main__":
    KEPT.write_text(json.dumps(defaults(), indent=1, ensure_ascii=False) + "\n")
