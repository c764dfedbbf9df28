"""Every option of a training and of a model is read: changed alone, it changes the numbers."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.options import Change, cases, numbers, same, unlisted
from tests.transformer import small
from tests.transformer.reversal import fresh_model, pairs, settings
from transformer import DecoderOnly, EncoderOnly, TrainingConfig, Transformer, TransformerConfig, generate, train

TRAINING = {
    "steps": Change(4),
    "learning_rate": Change(0.02),
    "schedule": Change("constant"),
    "warmup": Change(2),
    "max_tokens": Change(20),
    "betas": Change((0.8, 0.95)),
    "weight_decay": Change(0.3),
    "clip_norm": Change(0.1),
    "accumulation": Change(2),
    "label_smoothing": Change(0.2),
    "never": Change((15,)),
    "precision": Change("bf16"),
    "seed": Change(1),
    "first_position": Change(5),
}
MODEL = {
    "vocab_size": Change(19),
    "d_model": Change(24),
    "num_heads": Change(2),
    "num_encoder_layers": Change(2),
    "num_decoder_layers": Change(1),
    "d_ff": Change(28),
    "dropout": Change(0.3),
    "max_length": Change(18, {"positions": "learned"}),
    "activation": Change("gelu"),
    "norm": Change("pre"),
    "positions": Change("learned"),
    "tie_embeddings": Change(False),
    "scale_embeddings": Change(False),
    "layer_norm_eps": Change(0.3),
    "pad_id": Change(6),
    "bos_id": Change(3),
    "eos_id": Change(4),
    "norm_embeddings": Change(True),
    "output_bias": Change(True),
    "norm_kind": Change("rms"),
    "num_kv_heads": Change(1),
    "head_size": Change(5),
    "bias": Change(False),
    "qkv_bias": Change(False),
    "norm_heads": Change(True),
    "gated": Change(True),
}
TURNS = {
    "rope_base": Change(50.0),
    "rope_factor": Change(4.0),
    "rope_low_freq_factor": Change(2.0, {"rope_factor": 4.0}),
    "rope_high_freq_factor": Change(8.0, {"rope_factor": 4.0}),
    "rope_original_length": Change(64, {"rope_factor": 4.0}),
}
SAME_NUMBERS = {"attention"}
"""Faster twins of the same formulas: test_fused.py."""


@cache
def trained(beside: tuple[tuple[str, Any], ...] = ()) -> tuple[dict[str, Tensor], list[float]]:
    options = dict(beside)
    model = fresh_model()
    losses = train(model, pairs(20), settings(options.pop("steps", 6), **options))
    return numbers(model), losses


@pytest.mark.parametrize(("config", "name", "change"), cases(TrainingConfig, TRAINING))
def test_every_option_of_a_training_changes_its_weights(config: type, name: str, change: Change):
    (plain, _), (changed, _) = trained(), trained(((name, change.value),))

    assert not same(plain, changed), f"nothing reads {config.__name__}.{name}"


def test_the_state_is_kept_after_every_so_many_steps(tmp_path: Path):
    times = {}
    for every in (2, 3):
        kept, file = [], tmp_path / f"{every}.safetensors"

        def note(step: int, loss: float, kept: list = kept, file: Path = file) -> None:
            kept.append(file.stat().st_mtime_ns if file.exists() else 0)

        train(fresh_model(), pairs(20), settings(7, checkpoint_every=every), checkpoint=file, on_step=note)
        times[every] = [step for step in range(2, 8) if kept[step - 1] != kept[step - 2]]

    assert times == {2: [3, 5, 7], 3: [4, 7]}


@cache
def built(**options: Any) -> tuple:
    """All that a model says: its numbers, its logits in training, and what it generates."""
    torch.manual_seed(2)
    model = Transformer(small.config(**options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2)
    with small.one_seed():
        logits = model.train()(small.SOURCE, small.TARGET)
    return numbers(model), logits.detach(), generate(model.eval(), small.SOURCE, 8, do_sample=True, **chance())


def chance() -> dict[str, torch.Generator]:
    return {"generator": torch.Generator().manual_seed(1)}


@pytest.mark.parametrize(("config", "name", "change"), cases(TransformerConfig, MODEL))
def test_every_option_of_a_model_changes_what_it_says(config: type, name: str, change: Change):
    plain, changed = built(**change.beside), built(**change.beside, **{name: change.value})

    assert not same(plain, changed), f"nothing reads {config.__name__}.{name}"


@pytest.mark.parametrize(("config", "name", "change"), cases(TransformerConfig, TURNS))
def test_every_option_of_the_turns_changes_what_a_decoder_says(config: type, name: str, change: Change):
    shape = {"num_encoder_layers": 0, "positions": "rotary", "rope_original_length": 32, **change.beside}
    plain, changed = (small.shaken(DecoderOnly(small.config(**shape | other))) for other in ({}, {name: change.value}))

    assert not same(plain(small.TARGET), changed(small.TARGET)), f"nothing reads {config.__name__}.{name}"


def test_token_types_have_vectors_of_their_own():
    shape = {"num_decoder_layers": 0, "num_segments": 2}
    model = small.shaken(EncoderOnly(small.config(**shape)))
    first = torch.zeros_like(small.SOURCE)

    plain, other = model(small.SOURCE, first), model(small.SOURCE, first + 1)

    assert not torch.allclose(plain, other)


def test_no_option_is_left_out():
    assert unlisted(TrainingConfig, TRAINING, {"checkpoint_every"}) == set()
    assert unlisted(TransformerConfig, MODEL | TURNS, SAME_NUMBERS, {"num_segments"}) == set()
