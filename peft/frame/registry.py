"""What there is: peft_type → config class, and name → relative of LoRA. Each adds itself with one decorator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from peft.frame.config import PeftConfig

CONFIGS: dict[str, type[PeftConfig]] = {}
LORA_VARIANTS: dict[str, Any] = {}
"""The layer classes that a LoraConfig can ask for: "dora" with use_dora, others with init_lora_weights."""

Config = TypeVar("Config", bound=type[PeftConfig])
Layer = TypeVar("Layer", bound=type)


def register(config: Config) -> Config:
    """Makes a technique known by its `peft_type`, so that a saved adapter finds it again."""
    if config.peft_type in CONFIGS:
        raise ValueError(f"peft_type {config.peft_type!r} is taken by {CONFIGS[config.peft_type].__name__}")
    CONFIGS[config.peft_type] = config
    return config


def lora_variant(name: str) -> Callable[[Layer], Layer]:
    """Makes a relative of LoRA known, so that neither it nor lora.py needs to know the other."""

    def add(layer: Layer) -> Layer:
        LORA_VARIANTS[name] = layer
        return layer

    return add


def config_class(peft_type: str, source: str | Path) -> type[PeftConfig]:
    if peft_type not in CONFIGS:
        raise ValueError(f"{source} is of peft_type {peft_type!r}; known are {', '.join(sorted(CONFIGS))}")
    return CONFIGS[peft_type]
