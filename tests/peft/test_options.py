"""Every option of every technique is read: changed alone, it changes what is trained, said or saved."""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import torch

from peft import (
    AdapterConfig,
    BitFitConfig,
    FullConfig,
    IA3Config,
    LNTuningConfig,
    LoraConfig,
    PillConfig,
    PrefixTuningConfig,
    PromptTuningConfig,
    PTuningConfig,
    PTuningV2Config,
    SSFConfig,
    VeraConfig,
    get_peft_model,
)
from peft.frame.config import CONFIGS
from peft.loftq import quantize_with_loftq
from tests.options import Change, cases, same, unlisted
from tests.peft.small import CONFIG, batch, small_base, take_steps

ENCODER = ("encoder_self", "feed_forward")
EVERYWHERE = {"trainable_token_indices": Change((3, 29))}
FRAME = {**EVERYWHERE, "sites": Change(ENCODER), "modules_to_save": Change(("encoder.layers.0.self_attention_norm",))}
TARGETS = {"target_modules": Change(("fc1",)), "exclude_modules": Change(("decoder.layers.1.self_attention.v_proj",))}
LSTM = {"encoder_reparameterization_type": "LSTM"}
PROMPT = {key: change for key, change in FRAME.items() if key != "sites"} | {"num_virtual_tokens": Change(3)}
TABLES: dict[type, dict[str, Change]] = {
    FullConfig: {"sites": Change(ENCODER)},
    BitFitConfig: FRAME,
    LNTuningConfig: {
        **EVERYWHERE,
        "sites": Change(ENCODER),
        "modules_to_save": Change(("encoder.layers.0.feed_forward.fc1",)),
        "target_modules": Change(("encoder.layers.0.feed_forward_norm.norm",)),
        "exclude_modules": Change(("encoder.layers.0.feed_forward_norm.norm",)),
    },
    LoraConfig: {
        **FRAME,
        **TARGETS,
        "r": Change(4),
        "lora_alpha": Change(3),
        "lora_dropout": Change(0.4),
        "use_rslora": Change(True),
        "use_dora": Change(True),
        "init_lora_weights": Change("gaussian"),
        "rank_pattern": Change({"encoder.layers.0.self_attention.q_proj": 3}),
        "alpha_pattern": Change({"encoder.layers.0.self_attention.q_proj": 3}),
        "loftq_config": Change({"loftq_iter": 3}, {"init_lora_weights": "loftq"}),
    },
    AdapterConfig: {
        **FRAME,
        "modules_to_save": Change(("encoder.layers.0.self_attention.q_proj",)),
        "style": Change("pfeiffer"),
        "bottleneck": Change(5),
        "scaling": Change(2.0, {"style": "parallel"}),
    },
    PrefixTuningConfig: {
        **FRAME,
        "num_virtual_tokens": Change(3),
        "encoder_hidden_size": Change(9),
        "prefix_projection": Change(False),
        "shift_positions": Change(True),
    },
    PTuningV2Config: {
        **FRAME,
        "num_virtual_tokens": Change(3),
        "shift_positions": Change(True),
        "init_weights": Change("words"),
    },
    PromptTuningConfig: {
        **PROMPT,
        "prompt_tuning_init": Change("SAMPLE_VOCAB"),
        "prompt_tuning_init_token_ids": Change(
            (5, 6), {"prompt_tuning_init": "TEXT", "prompt_tuning_init_token_ids": (7, 8)}
        ),
    },
    PTuningConfig: {
        **PROMPT,
        "encoder_reparameterization_type": Change("LSTM"),
        "encoder_hidden_size": Change(9),
        "encoder_num_layers": Change(1, LSTM),
        "encoder_dropout": Change(0.4, LSTM),
    },
    SSFConfig: {**FRAME, "modules_to_save": Change(("output",)), "init": Change("identity")},
    PillConfig: {**FRAME, "r": Change(3), "token_types": Change([3] * CONFIG.vocab_size), "stage": Change(1)},
    IA3Config: {
        **FRAME,
        "target_modules": Change(("k_proj", "fc2")),
        "feedforward_modules": Change(("v_proj",)),
        "exclude_modules": Change(("decoder.layers.1.self_attention.v_proj",)),
        "init_ia3_weights": Change(False),
    },
    VeraConfig: {
        **FRAME,
        **TARGETS,
        "r": Change(16),
        "projection_prng_key": Change(1),
        "save_projection": Change(False),
        "vera_dropout": Change(0.4),
        "d_initial": Change(0.3),
        "init_weights": Change(False),
    },
}
OF_THE_BASE = {"token_dim", "num_layers", "num_attention_heads", "num_transformer_submodules", "task_type"}
"""What Hugging Face PEFT's folders hold besides: it is read off the base."""
NOT_READ = {
    FullConfig: {"trainable_token_indices", "modules_to_save"},  # everything is trained already
    PrefixTuningConfig: OF_THE_BASE,
    PTuningV2Config: {*OF_THE_BASE, "encoder_hidden_size", "prefix_projection"},  # refused: there is no network
    PromptTuningConfig: {*OF_THE_BASE, "sites"},  # the source's way in belongs to no site
    PTuningConfig: {*OF_THE_BASE, "sites"},
}


def result(config: type, options: Mapping[str, Any]) -> tuple[list[str], dict[str, torch.Tensor], torch.Tensor]:
    """What is trained, what is saved after a step of training, and what the model says then."""
    settings, base = config(**options), small_base()
    if getattr(settings, "init_lora_weights", True) == "loftq":
        base = quantize_with_loftq(base, settings, compute_dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PILL without token types
        torch.manual_seed(1)
        model = get_peft_model(base, settings)
    take_steps(model, count=1)
    trained = sorted(name for name, parameter in model.named_parameters() if parameter.requires_grad)
    return trained, model.adapters["default"].saved(), model(*batch()).detach()


@cache
def plain(config: type, name: str) -> tuple:
    """The result without the change; `name` is that of a field with something beside it, or empty."""
    return result(config, TABLES[config][name].beside if name else {})


@pytest.mark.parametrize(("config", "name", "change"), [case for one in TABLES.items() for case in cases(*one)])
def test_every_option_changes_what_is_trained_or_said_or_saved(config: type, name: str, change: Change):
    changed = result(config, {**change.beside, name: change.value})

    assert not same(plain(config, name if change.beside else ""), changed), f"nothing reads {config.__name__}.{name}"


@pytest.mark.parametrize("config", TABLES)
def test_no_option_is_left_out(config: type):
    assert unlisted(config, TABLES[config], NOT_READ.get(config, ())) == set()


def test_no_technique_is_left_out():
    ours = {config for config in CONFIGS.values() if config.__module__.startswith("peft.")}

    assert ours == set(TABLES)
