"""Parameter-efficient fine-tuning, by hand: one file per technique, and the small frame that they all stand in.

Read in this order: config, layers, owned, tokens, adapter, model (the frame), then any technique; lora is the one to
begin with.
"""

import warnings
from importlib import metadata

from peft.adapters import AdapterConfig
from peft.bitfit import BitFitConfig
from peft.config import PeftConfig
from peft.full import FullConfig
from peft.lora import LoraConfig, LoraLinear
from peft.model import PeftModel, get_peft_model
from peft.recipes import RECIPES, Recipe, recipe

FINETUNE_BY_HAND = True
"""How the rest of this project knows that it has imported this `peft` and not another."""

if published := [found.version for found in metadata.distributions(name="peft")]:
    warnings.warn(
        f"the published peft {published[0]} is installed as well; this process uses the hand-written one in {__path__[0]}. "
        "In this process the published one, and `from transformers import Trainer`, do not work.",
        stacklevel=2,
    )

__all__ = [
    "RECIPES",
    "AdapterConfig",
    "BitFitConfig",
    "FullConfig",
    "LoraConfig",
    "LoraLinear",
    "PeftConfig",
    "PeftModel",
    "Recipe",
    "get_peft_model",
    "recipe",
]
