"""VeRA: shared random matrices that a seed makes again, and two vectors for each layer."""

import os

import numpy as np
import pytest
import torch

from peft import PeftModel, VeraConfig, VeraLinear, get_peft_model
from peft.vera import Projections
from tests.peft.layers import D_IN, arrays, inputs, linear, scatter
from tests.peft.small import batch, small_base, take_steps
from tests.reference import lora_family as reference

RANK = 11


def projections() -> Projections:
    """Larger than the layer on both sides, as when another layer is larger."""
    return Projections(RANK, D_IN + 2, 9, seed=4).double()


def adapted(**settings: object) -> PeftModel:
    settings = {"r": 30, "target_modules": ["q_proj", "fc1", "fc2"], **settings}
    return get_peft_model(small_base(), VeraConfig(**settings))


def test_it_is_its_formula_on_its_part_of_the_shared_matrices() -> None:
    layer, x = scatter(VeraLinear(linear(), projections())), inputs()
    a = arrays(layer)
    expected = reference.vera(
        x.numpy(),
        a["base.weight"],
        a["base.bias"],
        a["projections.vera_A"],
        a["projections.vera_B"],
        a["vera_lambda_b"],
        a["vera_lambda_d"],
    )
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-11)


def test_merged_is_the_same_function_and_not_the_base() -> None:
    layer, x = scatter(VeraLinear(linear(), projections())), inputs()
    torch.testing.assert_close(layer.merged()(x), layer(x))
    assert (layer(x) - layer.base(x)).abs().max() > 0.1


def test_dropout_touches_the_branch_only() -> None:
    layer, x = scatter(VeraLinear(linear(), projections(), dropout=0.4)).train(), inputs()
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(x, 0.4)
    torch.manual_seed(3)
    y = layer(x)
    torch.testing.assert_close(y, layer.base(x) + layer.eval().delta(dropped))


def test_it_starts_as_the_base() -> None:
    layer, x = VeraLinear(linear(), projections(), d_initial=0.3), inputs()
    assert torch.equal(layer(x), layer.base(x))
    assert torch.equal(layer.vera_lambda_d, torch.full((RANK,), 0.3).double())
    assert not layer.vera_lambda_b.any()


def test_for_tests_it_starts_away_from_the_base() -> None:
    layer = VeraLinear(linear(), Projections(400, D_IN, 9, seed=4).double(), init_weights=False)
    assert torch.equal(layer.vera_lambda_b.detach(), torch.ones(layer.base.out_features))
    assert layer.vera_lambda_d.mean().item() == pytest.approx(0.0, abs=0.2)
    assert layer.vera_lambda_d.std().item() == pytest.approx(1.0, rel=0.1)


def test_the_random_matrices_come_from_the_seed_with_the_spread_of_their_side() -> None:
    first, again, other = (Projections(200, 300, 100, seed) for seed in (0, 0, 1))
    assert torch.equal(first.vera_A, again.vera_A)
    assert torch.equal(first.vera_B, again.vera_B)
    assert not torch.equal(first.vera_A, other.vera_A)
    for matrix, columns in ((first.vera_A, 300), (first.vera_B, 200)):
        assert matrix.abs().max() <= np.sqrt(6 / columns)
        assert matrix.std().item() == pytest.approx(np.sqrt(2 / columns), rel=0.02)


def test_every_layer_uses_the_same_frozen_pair_as_large_as_the_largest_layer() -> None:
    model = adapted()
    layers = list(model.adapters["default"].layers.values())
    shared = model.adapters["default"].shared
    assert all(layer.projections is shared for layer in layers)
    assert (shared.vera_A.shape, shared.vera_B.shape) == ((30, 40), (40, 30))
    before = shared.vera_A.clone()
    take_steps(model)
    assert torch.equal(shared.vera_A, before)


def test_it_trains_as_many_numbers_as_the_formula_says_and_the_rank_may_be_above_the_sides() -> None:
    trainable, total = adapted().get_nb_trainable_parameters()
    assert trainable == 5 * (30 + 24) + 3 * (30 + 40) + 3 * (30 + 24)
    assert total == trainable + sum(p.numel() for p in small_base().parameters())


@pytest.mark.parametrize("save_projection", [True, False])
def test_a_folder_holds_the_matrices_or_the_seed_that_makes_them(save_projection: bool, tmp_path: os.PathLike) -> None:
    model = adapted(save_projection=save_projection, projection_prng_key=7)
    assert torch.equal(model.adapters["default"].shared.vera_B, Projections(30, 40, 40, seed=7).vera_B)
    take_steps(model)
    saved = set(model.adapters["default"].saved())
    assert ({"base_model.vera_A", "base_model.vera_B"} <= saved) is save_projection
    assert "base_model.model.encoder.layers.0.feed_forward.fc2.vera_lambda_d" in saved
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(), tmp_path)
    torch.testing.assert_close(loaded(*batch()), model(*batch()), atol=1e-6, rtol=1e-6)


def test_the_second_step_moves_both_vectors() -> None:
    layer, x = VeraLinear(linear(), projections()), inputs()
    for expected in (False, True):
        layer.zero_grad()
        layer(x).square().sum().backward()
        assert bool(layer.vera_lambda_d.grad.any()) is expected
        with torch.no_grad():
            layer.vera_lambda_b -= 0.01 * layer.vera_lambda_b.grad


def test_two_of_them_with_different_seeds_can_be_summed() -> None:
    model = adapted()
    take_steps(model)
    first = model(*batch())
    model.add_adapter("second", VeraConfig(r=5, projection_prng_key=3, init_weights=False))
    model.set_adapter(["default", "second"])
    assert (model(*batch()) - first).abs().max() > 1e-3


@pytest.mark.parametrize(("settings", "message"), [({"r": 0}, "rank 0"), ({"vera_dropout": 1.0}, "not 1.0")])
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VeraConfig(**settings)


def test_a_start_from_which_nothing_is_learned_is_refused() -> None:
    with pytest.raises(ValueError, match="d_initial 0 beside λ_b = 0"):
        VeraConfig(d_initial=0)
    VeraConfig(d_initial=0, init_weights=False)
