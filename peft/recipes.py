"""Names are recipes: what is done to the base first, the config, and the optimizer's parameter groups.

    base = recipe.prepare(base);  model = get_peft_model(base, recipe.config(...));  groups = recipe.groups(model, ...)

`compare`, `pronounce --method` and the memory planner list the techniques from here, in this order. A technique appears
in them by its one line in RECIPES.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from torch import nn

from peft.bitfit import BitFitConfig
from peft.bottleneck import AdapterConfig
from peft.frame.config import PeftConfig
from peft.full import FullConfig
from peft.ia3 import IA3Config
from peft.ln_tuning import LNTuningConfig
from peft.lora import LoraConfig
from peft.lora_plus import lora_plus_groups
from peft.p_tuning import PTuningConfig
from peft.p_tuning_v2 import PTuningV2Config
from peft.pill import PillConfig
from peft.prefix_tuning import PrefixTuningConfig
from peft.prompt_tuning import PromptTuningConfig
from peft.qlora import on_fp4, on_int4, on_nf4
from peft.ssf import SSFConfig
from peft.vera import VeraConfig
from transformer.learning.training import parameter_groups


def as_it_is(model: nn.Module) -> nn.Module:
    return model


@dataclass(frozen=True)
class Recipe:
    """A technique with the settings that suit a small model.

    `config_class`, `settings`   the config and what of it differs from its defaults
    `family`                     the relatives that share a colour in every figure
    `rates`                      where the search of its learning rate begins, by factors of about three
    `prepare`                    what is done to the base before the adapter stands in it
    `groups`                     the optimizer's parameter groups
    """

    config_class: type[PeftConfig]
    settings: Mapping[str, Any] = field(default_factory=dict)
    family: str = "other"
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    prepare: Callable[[nn.Module], nn.Module] = as_it_is
    groups: Callable[[nn.Module, float, float], list[dict[str, Any]]] = parameter_groups

    def config(self, **changes: Any) -> PeftConfig:
        """A new config with these settings and whatever is to differ from them."""
        return self.config_class(**{**self.settings, **changes})


LORA = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}
LARGE = (1e-2, 3e-2, 1e-1)

RECIPES = {
    "full": Recipe(FullConfig, family="own parameters", rates=(3e-4, 1e-3, 3e-3)),
    "bitfit": Recipe(BitFitConfig, family="own parameters"),
    "ln_tuning": Recipe(LNTuningConfig, family="own parameters"),
    "lora": Recipe(LoraConfig, LORA, family="LoRA family"),
    "rslora": Recipe(LoraConfig, {**LORA, "use_rslora": True}, family="LoRA family"),
    "lora_plus": Recipe(LoraConfig, LORA, groups=lora_plus_groups, family="LoRA family"),
    "dora": Recipe(LoraConfig, {**LORA, "use_dora": True}, family="LoRA family"),
    "pissa": Recipe(LoraConfig, {**LORA, "init_lora_weights": "pissa"}, family="LoRA family"),
    "vera": Recipe(
        VeraConfig,
        {"r": 32, "target_modules": "all-linear", "save_projection": False},
        family="LoRA family",
        rates=LARGE,
    ),
    "ia3": Recipe(IA3Config, family="scaled features"),
    "ssf": Recipe(SSFConfig, family="scaled features"),
    "adapter_houlsby": Recipe(AdapterConfig, {"style": "houlsby", "bottleneck": 16}, family="adapters"),
    "adapter_pfeiffer": Recipe(AdapterConfig, {"style": "pfeiffer", "bottleneck": 32}, family="adapters"),
    "adapter_parallel": Recipe(AdapterConfig, {"style": "parallel", "bottleneck": 32}, family="adapters"),
    "prompt_tuning": Recipe(
        PromptTuningConfig,
        {"num_virtual_tokens": 5, "prompt_tuning_init": "SAMPLE_VOCAB"},
        family="prompts, prefixes",
        rates=LARGE,
    ),
    "p_tuning": Recipe(
        PTuningConfig,
        {"num_virtual_tokens": 5, "encoder_reparameterization_type": "LSTM", "encoder_hidden_size": 64},
        family="prompts, prefixes",
    ),
    "prefix_tuning": Recipe(
        PrefixTuningConfig,
        {"num_virtual_tokens": 10, "encoder_hidden_size": 64},
        family="prompts, prefixes",
        rates=LARGE,
    ),
    "p_tuning_v2": Recipe(PTuningV2Config, {"num_virtual_tokens": 20}, family="prompts, prefixes", rates=LARGE),
    "pill": Recipe(PillConfig, family="scaled features"),
    "qlora": Recipe(LoraConfig, LORA, prepare=on_nf4, family="4-bit base"),
    "lora_fp4": Recipe(LoraConfig, LORA, prepare=on_fp4, family="4-bit base"),
    "lora_int4": Recipe(LoraConfig, LORA, prepare=on_int4, family="4-bit base"),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises ValueError that lists the names there are."""
    if name not in RECIPES:
        raise unknown_technique(name, RECIPES)
    return RECIPES[name]


def unknown_technique(name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that is none, with the nearest one and all that there are."""
    names = list(known)
    near = get_close_matches(name, names, n=1)
    meant = f": did you mean {near[0]}?" if near else ";"
    return ValueError(f"unknown technique {name!r}{meant} there are {', '.join(names)}")
