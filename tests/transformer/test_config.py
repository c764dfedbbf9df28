"""The configuration: every field is checked, and a dictionary is its equal."""

import dataclasses

import pytest

from tests.transformer import small
from transformer import TransformerConfig

IMPOSSIBLE = {
    "vocab_size": (0, "vocab_size must be at least 1, not 0"),
    "d_model": (-12, "d_model must be at least 1, not -12"),
    "num_heads": (5, "d_model 12 is not divisible by num_heads 5"),
    "num_encoder_layers": (-1, "num_encoder_layers must be at least 0, not -1"),
    "num_decoder_layers": (-2, "num_decoder_layers must be at least 0, not -2"),
    "d_ff": (0, "d_ff must be at least 1, not 0"),
    "dropout": (1.0, r"dropout is a probability in \[0, 1\), not 1.0"),
    "max_length": (0, "max_length must be at least 1, not 0"),
    "layer_norm_eps": (0.0, "layer_norm_eps must be positive, not 0.0"),
    "pad_id": (17, "pad_id 17 is outside the vocabulary of 17"),
    "bos_id": (-1, "bos_id must be at least 0, not -1"),
    "eos_id": (17, "eos_id 17 is outside the vocabulary of 17"),
    "num_segments": (-1, "num_segments must be at least 0, not -1"),
    "rope_base": (0.0, "rope_base must be positive, not 0.0"),
    "rope_factor": (-2.0, "rope_factor must be positive, not -2.0"),
    "rope_low_freq_factor": (4.0, "rope_low_freq_factor must be below rope_high_freq_factor, not 4.0 and 4.0"),
    "rope_high_freq_factor": (float("inf"), "rope_high_freq_factor must be a finite number, not inf"),
    "rope_original_length": (0, "rope_original_length must be at least 1, not 0"),
    "num_kv_heads": (2, "num_heads 3 is not divisible by num_kv_heads 2"),
    "head_size": (0, "head_size must be at least 1, not 0"),
}
"""Values of the right type. Those of another type are in bad_input.py: here the run-time checks refuse them first."""

OF_A_KIND = {
    "activation",
    "norm",
    "positions",
    "tie_embeddings",
    "scale_embeddings",
    "attention",
    "norm_embeddings",
    "output_bias",
    "norm_kind",
    "bias",
    "qkv_bias",
    "norm_heads",
    "gated",
}
"""Fields that have no impossible value of the right type."""


def test_every_field_has_its_test():
    assert {field.name for field in dataclasses.fields(TransformerConfig)} == IMPOSSIBLE.keys() | OF_A_KIND


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_an_impossible_value_is_refused_with_its_numbers(field):
    value, message = IMPOSSIBLE[field]

    with pytest.raises(ValueError, match=message):
        small.config(**{field: value})


@pytest.mark.parametrize("dropout", [-0.1, 1.5, float("nan")])
def test_dropout_is_a_probability_below_one(dropout):
    with pytest.raises(ValueError, match=r"dropout (is a probability|must be a finite number)"):
        small.config(dropout=dropout)


def test_the_end_of_a_sequence_cannot_be_padding_where_there_is_an_encoder():
    with pytest.raises(ValueError, match="pad_id and eos_id are both 2"):
        small.config(pad_id=2, eos_id=2)
    small.config(pad_id=2, eos_id=2, num_encoder_layers=0)


@pytest.mark.parametrize("other", ["pad_id", "eos_id"])
def test_the_start_may_be_padding_or_the_end(other):
    shared = small.config(bos_id=getattr(small.CONFIG, other))

    assert shared.bos_id == getattr(shared, other)


def test_the_defaults_are_the_paper():
    config = TransformerConfig(100, 512, 8, 6, 6, 2048, 0.1, 64)

    assert (config.norm, config.activation, config.positions, config.attention) == (
        "post",
        "relu",
        "sinusoidal",
        "math",
    )
    assert config.tie_embeddings
    assert config.scale_embeddings
    assert (config.layer_norm_eps, config.pad_id, config.bos_id, config.eos_id) == (1e-5, 0, 1, 2)
    assert config.d_head == 64


def test_it_never_changes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        small.CONFIG.d_model = 24


def test_a_dictionary_gives_it_back():
    config = small.config(norm="pre", positions="learned", dropout=0.25)

    assert TransformerConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**small.CONFIG.to_dict(), "heads": 3}, r"unknown configuration fields \['heads'\]; known are .*'num_heads'"),
        ({"vocab_size": 5}, "incomplete configuration: .*d_model"),
        ({**small.CONFIG.to_dict(), "num_heads": 7}, "d_model 12 is not divisible by num_heads 7"),
    ],
)
def test_a_dictionary_that_is_none_of_its_own_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig.from_dict(values)
