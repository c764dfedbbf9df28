"""How target modules are named, and what is said of a name that fits none."""

from dataclasses import replace

import pytest

from peft import IA3Config, LNTuningConfig, LoraConfig, SSFConfig, VeraConfig, get_peft_model
from peft.frame.config import PeftConfig
from tests.peft.small import CONFIG, small_base
from transformer import EncoderOnly
from transformer.encoder_only import MaskedWordHead


@pytest.mark.parametrize("target", ["fc[89]", ["fc1", "fc[89]"]])
def test_a_target_that_fits_no_layer_is_named_whole_with_all_that_there_are(target: str | list[str]) -> None:
    there = "fc1, fc2, k_proj, out_proj, output, q_proj, v_proj"
    with pytest.raises(ValueError, match=rf"target module 'fc\[89\]' matches no linear layer; there are {there}$"):
        get_peft_model(small_base(), LoraConfig(target_modules=target))


def test_a_set_of_names_is_kept_in_the_order_of_the_alphabet() -> None:
    names = ("fc1", "fc2", "k_proj", "out_proj", "output", "q_proj", "v_proj")

    assert LoraConfig(target_modules=set(names)).target_modules == names


def test_a_name_that_is_given_as_a_pattern_is_told_how_to_be_a_name() -> None:
    with pytest.raises(
        ValueError, match=r"'fc1' matches no linear layer; .*a pattern of a whole path, write \['fc1'\]"
    ):
        get_peft_model(small_base(), LoraConfig(target_modules="fc1"))


@pytest.mark.parametrize("config", [LoraConfig, VeraConfig, IA3Config, LNTuningConfig])
def test_what_is_excluded_must_be_there(config: type) -> None:
    kind = "LayerNorm" if config is LNTuningConfig else "linear layer"
    with pytest.raises(ValueError, match=f"exclude_modules 'crosss_attention.q_proj' matches no {kind}; there are"):
        get_peft_model(small_base(), config(exclude_modules=["crosss_attention.q_proj"]))


def test_what_is_excluded_may_lie_outside_the_sites() -> None:
    config = LoraConfig(r=2, sites=("cross",), exclude_modules=("encoder.layers.0.self_attention.q_proj", "fc1"))
    assert len(get_peft_model(small_base(), config).adapters["default"].layers) == 2 * 2


@pytest.mark.parametrize("config", [LoraConfig(r=2, target_modules="all-linear"), SSFConfig()])
def test_the_projection_onto_the_vocabulary_is_left_out_of_a_head_too(config: PeftConfig) -> None:
    shape = replace(CONFIG, num_decoder_layers=0)
    base = EncoderOnly(shape, MaskedWordHead(shape))

    layers = get_peft_model(base, config).adapters["default"].layers

    assert "output.dense" in layers
    assert "output.words" not in layers
    chosen = get_peft_model(EncoderOnly(shape, MaskedWordHead(shape)), LoraConfig(r=2, target_modules=("words",)))
    assert set(chosen.adapters["default"].layers) == {"output.words"}
