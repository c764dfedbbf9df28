"""Parameter-efficient fine-tuning, by hand: one file per technique, and the small frame that they all stand in.

README.md says in which order to read; of the techniques, lora is the one to begin with.
"""

import warnings
from importlib import metadata

from peft.bitfit import BitFitConfig
from peft.bottleneck import AdapterConfig
from peft.dora import DoraLinear
from peft.frame.config import PeftConfig
from peft.full import FullConfig
from peft.ia3 import IA3Config, IA3Linear
from peft.ln_tuning import LNTuningConfig
from peft.loftq import LoftQConfig, quantize_with_loftq
from peft.lora import LoraConfig, LoraLinear
from peft.lora_plus import lora_plus_groups
from peft.model import PeftModel, get_peft_model
from peft.p_tuning import PromptEncoderConfig, PTuningConfig
from peft.p_tuning_v2 import PTuningV2Config
from peft.pill import PillConfig, set_stage
from peft.pissa import PissaLinear
from peft.prefix_tuning import PrefixTuningConfig
from peft.prompt_tuning import PromptTuningConfig
from peft.recipes import RECIPES, Recipe, recipe
from peft.ssf import ScaledShifted, SSFConfig
from peft.vera import VeraConfig, VeraLinear
from peft.virtual_tokens import drop_encoders

FINETUNE_BY_HAND = True
"""How the rest of this project knows that it has imported this `peft` and not another."""

if theirs := [found.version for found in metadata.distributions(name="peft")]:
    warnings.warn(
        f"Hugging Face PEFT {theirs[0]} is installed as well; this process uses the hand-written peft in {__path__[0]}. "
        "In this process Hugging Face's, and `from transformers import Trainer`, do not work.",
        stacklevel=2,
    )

__all__ = [
    "RECIPES",
    "AdapterConfig",
    "BitFitConfig",
    "DoraLinear",
    "FullConfig",
    "IA3Config",
    "IA3Linear",
    "LNTuningConfig",
    "LoftQConfig",
    "LoraConfig",
    "LoraLinear",
    "PTuningConfig",
    "PTuningV2Config",
    "PeftConfig",
    "PeftModel",
    "PillConfig",
    "PissaLinear",
    "PrefixTuningConfig",
    "PromptEncoderConfig",
    "PromptTuningConfig",
    "Recipe",
    "SSFConfig",
    "ScaledShifted",
    "VeraConfig",
    "VeraLinear",
    "drop_encoders",
    "get_peft_model",
    "lora_plus_groups",
    "quantize_with_loftq",
    "recipe",
    "set_stage",
]
