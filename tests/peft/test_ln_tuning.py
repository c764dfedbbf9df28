"""LayerNorm tuning: which numbers it trains, and under which names they are kept."""

import numpy as np
import pytest
import torch

from peft import LNTuningConfig, PeftModel, get_peft_model
from tests.peft.small import batch, small_base, take_steps
from tests.reference.adapters import layer_norm


def tuned(**settings: object) -> PeftModel:
    base = small_base(norm=settings.pop("norm", "pre"))
    return get_peft_model(base, LNTuningConfig(**settings))


@pytest.mark.parametrize(("norm", "norms"), [("post", 2 * 1 + 3 * 2), ("pre", 2 * 1 + 3 * 2 + 2)])
def test_it_trains_the_gain_and_the_bias_of_every_norm(norm: str, norms: int) -> None:
    trainable, _ = tuned(norm=norm).get_nb_trainable_parameters()
    assert trainable == 2 * 24 * norms


def test_a_tuned_norm_is_the_formula_with_the_new_gain_and_bias() -> None:
    model = tuned()
    take_steps(model)
    saved = model.adapters["default"].saved()
    path, x = "decoder.layers.1.cross_attention_norm.norm", torch.randn(2, 3, 24)
    gain, bias = (saved[f"base_model.model.{path}.ln_tuning_layers.{name}"].numpy() for name in ("weight", "bias"))
    expected = layer_norm(x.numpy(), gain, bias)
    np.testing.assert_allclose(model.base_model.get_submodule(path)(x).detach(), expected, atol=1e-5)
    assert np.abs(gain - small_base().get_submodule(path).weight.detach().numpy()).min() > 0


def test_the_names_of_the_tensors_and_the_norms_are_those_of_hf() -> None:
    adapter = tuned().adapters["default"]
    keys = set(adapter.saved())
    assert "base_model.model.encoder.layers.0.feed_forward_norm.norm.ln_tuning_layers.weight" in keys
    assert "base_model.model.decoder.norm.ln_tuning_layers.bias" in keys
    assert len(adapter.config.target_modules) == len(keys) / 2 == 10
    assert "encoder.layers.0.self_attention_norm.norm" in adapter.config.target_modules


def test_norms_can_be_chosen_by_name_by_pattern_and_by_site() -> None:
    assert len(tuned(target_modules=["decoder.norm"]).adapters["default"].owned.names) == 2
    assert len(tuned(target_modules=r"encoder\..*").adapters["default"].owned.names) == 2 * 3
    assert len(tuned(sites=("cross",)).adapters["default"].owned.names) == 2 * 2
    assert len(tuned(exclude_modules=["decoder.norm"]).adapters["default"].owned.names) == 2 * 9
    with pytest.raises(ValueError, match="'fc1' matches no LayerNorm; there are norm"):
        tuned(target_modules=["norm", "fc1"])


def test_a_module_that_is_saved_whole_keeps_its_plain_name() -> None:
    base = small_base(tie_embeddings=False)
    model = get_peft_model(base, LNTuningConfig(modules_to_save=("output",)))
    assert "base_model.model.output.weight" in model.adapters["default"].saved()


def test_it_starts_as_the_base() -> None:
    assert torch.equal(tuned().eval()(*batch()), small_base()(*batch()))


def test_its_config_names_the_norms_that_are_left_after_the_exclusions() -> None:
    model = get_peft_model(small_base(), LNTuningConfig(exclude_modules=("cross_attention_norm.norm",)))
    config = model.adapters["default"].config

    assert config.exclude_modules == ()
    assert config.target_modules
    assert not any("cross_attention_norm" in path for path in config.target_modules)
