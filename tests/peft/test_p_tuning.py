"""P-Tuning: the encoder's mathematics, and what is left when it has done its work."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from peft import PeftModel, PromptEncoderConfig, PromptTuningConfig, PTuningConfig, drop_encoders, get_peft_model
from peft.p_tuning import PromptEncoder
from tests.peft.small import batch, small_base, take_steps
from tests.reference import prompts as reference

KINDS = ("LSTM", "MLP")
FORMULA = {"LSTM": reference.lstm_encoder, "MLP": reference.mlp_encoder}
COUNT = {"LSTM": reference.lstm_count, "MLP": reference.mlp_count}


def tuned(kind: str, **changes: object) -> PeftModel:
    base = small_base()
    torch.manual_seed(1)
    settings = {"encoder_reparameterization_type": kind, "encoder_hidden_size": 10, **changes}
    return get_peft_model(base, PTuningConfig(num_virtual_tokens=7, **settings)).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_is_its_formula(kind: str) -> None:
    encoder = PromptEncoder(7, 24, 10, kind).double()
    weights = {name: parameter.detach().numpy() for name, parameter in encoder.named_parameters()}
    np.testing.assert_allclose(encoder().detach().numpy(), FORMULA[kind](weights), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_it_trains_as_many_numbers_as_the_formula_says(kind: str) -> None:
    assert tuned(kind).get_nb_trainable_parameters()[0] == COUNT[kind](p=7, d=24, h=10)


def test_the_hidden_size_is_d_model_unless_it_is_given() -> None:
    model = get_peft_model(small_base(), PTuningConfig(num_virtual_tokens=5))
    assert model.get_nb_trainable_parameters()[0] == reference.mlp_count(p=5, d=24, h=24)


def test_its_own_vectors_start_as_standard_normal_ones() -> None:
    embedding = PromptEncoder(400, 24, 10, "MLP").embedding
    assert embedding.mean().item() == pytest.approx(0.0, abs=0.03)
    assert embedding.std().item() == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_kept_it_is_prompt_tuning(kind: str) -> None:
    model = tuned(kind)
    take_steps(model)
    expected = model(*batch())
    prompt = model.adapters["default"].saved()["prompt_embeddings"]
    plain = get_peft_model(small_base(), PromptTuningConfig(num_virtual_tokens=7)).eval()
    plain.adapters["default"].load({"prompt_embeddings": prompt}, "the kept prompt")
    torch.testing.assert_close(plain(*batch()), expected, atol=1e-6, rtol=1e-6)
    drop_encoders(model)
    assert torch.equal(model(*batch()), plain(*batch()))
    assert model.get_nb_trainable_parameters()[0] == 7 * 24
    take_steps(model)
    assert not torch.allclose(model(*batch()), expected, atol=1e-4), "the kept prompt can be trained on"


def test_dropout_between_the_lstms_layers_does_not_reach_what_is_saved() -> None:
    model = tuned("LSTM", encoder_dropout=0.5)
    expected = model.adapters["default"].saved()["prompt_embeddings"]
    model.train()
    noisy, saved = model.embed_source(batch()[0])[0][0, :7], model.adapters["default"].saved()["prompt_embeddings"]
    assert torch.equal(saved, expected)
    assert not torch.allclose(noisy, expected)
    assert model.adapters["default"].layers["source_input"].encoder.training


@pytest.mark.parametrize("is_trainable", [False, True])
def test_what_is_loaded_has_no_encoder(tmp_path: Path, is_trainable: bool) -> None:
    model = tuned("LSTM")
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert {name: tensor.shape for name, tensor in saved.items()} == {"prompt_embeddings": (7, 24)}
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "P_TUNING"
    assert config["num_transformer_submodules"] == 1
    loaded = PeftModel.from_pretrained(small_base(), tmp_path, is_trainable=is_trainable)
    assert loaded.get_nb_trainable_parameters()[0] == (7 * 24 if is_trainable else 0)
    torch.testing.assert_close(loaded.eval()(*batch()), model(*batch()), atol=1e-6, rtol=1e-6)
    loaded.save_pretrained(tmp_path / "again")
    assert torch.equal(
        load_file(tmp_path / "again" / "adapter_model.safetensors")["prompt_embeddings"], *saved.values()
    )


@pytest.mark.parametrize(("given", "written"), [(10, 10), (None, 24)])
def test_the_hidden_size_is_written_as_it_was(tmp_path: Path, given: int | None, written: int) -> None:
    tuned("MLP", encoder_hidden_size=given).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["encoder_hidden_size"] == written


def test_both_names_are_one() -> None:
    assert PromptEncoderConfig is PTuningConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder_reparameterization_type": "GRU"}, "MLP, LSTM"),
        ({"encoder_hidden_size": 0}, "encoder_hidden_size 0"),
        ({"encoder_dropout": 1.0}, "probability"),
        ({"encoder_num_layers": 3}, "three layers and no dropout"),
        ({"num_virtual_tokens": 60}, "60 virtual tokens"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_peft_model(small_base(), PTuningConfig(**settings))


def test_an_lstm_of_one_layer_has_no_layers_to_drop_between() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PromptEncoder(3, 4, 5, "LSTM", num_layers=1, dropout=0.4)
