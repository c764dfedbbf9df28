"""What there is: peft_type → config class. A technique adds itself with one decorator."""

from pathlib import Path
from typing import TypeVar

from peft.config import PeftConfig

CONFIGS: dict[str, type[PeftConfig]] = {}
Config = TypeVar("Config", bound=type[PeftConfig])


def register(config: Config) -> Config:
    """Makes a technique known by its `peft_type`, so that a saved adapter finds it again."""
    if config.peft_type in CONFIGS:
        raise ValueError(f"peft_type {config.peft_type!r} is taken by {CONFIGS[config.peft_type].__name__}")
    CONFIGS[config.peft_type] = config
    return config


def config_class(peft_type: str, source: str | Path) -> type[PeftConfig]:
    if peft_type not in CONFIGS:
        raise ValueError(f"{source} is of peft_type {peft_type!r}; known are {', '.join(sorted(CONFIGS))}")
    return CONFIGS[peft_type]
