"""DoRA: direction and length of the rows, and a gradient that holds the lengths fixed."""

import numpy as np
import pytest
import torch

from peft import DoraLinear, LoraConfig, get_peft_model
from tests.peft.layers import D_IN, D_OUT, arrays, inputs, linear, scatter, settled
from tests.peft.small import batch, small_base, technique
from tests.reference import lora_family as reference

RANK, ALPHA = 3, 5.0


def scattered(bias: bool = True, **settings: object) -> DoraLinear:
    return scatter(DoraLinear(linear(bias), RANK, ALPHA, **settings))


def factors(layer: DoraLinear) -> tuple[np.ndarray, ...]:
    a = arrays(layer)
    return a["lora_A.weight"], a["lora_B.weight"], a["lora_magnitude_vector"]


def test_it_is_its_formula() -> None:
    layer, x = scattered(), inputs()
    a = arrays(layer)
    expected = reference.dora(x.numpy(), a["base.weight"], a["base.bias"], *factors(layer), ALPHA / RANK)
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)


def test_the_gradients_are_those_of_rows_whose_lengths_stay_fixed() -> None:
    layer, x = scattered(), inputs().flatten(0, 1)
    upstream = torch.randn(len(x), D_OUT, dtype=torch.float64)
    (upstream * layer(x)).sum().backward()
    weight = layer.base.weight.numpy()
    expected = reference.dora_gradients(x.numpy(), weight, *factors(layer), ALPHA / RANK, upstream.numpy())
    for name, parameter in layer.own_parameters().items():
        np.testing.assert_allclose(parameter.grad, expected[name], atol=1e-11, err_msg=name)


def test_dropout_touches_all_that_it_adds_and_nothing_of_the_base() -> None:
    layer, x = scattered(dropout=0.4).train(), inputs()
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(x, 0.4)
    torch.manual_seed(3)
    a = arrays(layer)
    expected = reference.dora_dropped(
        x.numpy(), dropped.numpy(), a["base.weight"], a["base.bias"], *factors(layer), ALPHA / RANK
    )
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_merged_is_the_same_function_and_not_the_base(bias: bool) -> None:
    layer, x = scattered(bias).eval(), inputs()
    merged = layer.merged()
    torch.testing.assert_close(merged(x), layer(x))
    assert (merged(x) - layer.base(x)).abs().max() > 0.1


def test_it_starts_as_the_base_with_the_lengths_of_its_rows() -> None:
    layer, x = settled(DoraLinear(linear(), RANK, ALPHA)), inputs()
    torch.testing.assert_close(layer(x), layer.base(x), atol=1e-12, rtol=0)
    lengths = np.sqrt((layer.base.weight.numpy() ** 2).sum(axis=1))
    np.testing.assert_allclose(layer.lora_magnitude_vector.detach(), lengths)


def test_under_bf16_autocast_it_still_starts_as_the_base() -> None:
    model = technique("dora").eval()
    with torch.autocast("cpu", torch.bfloat16):
        stretches = [layer.stretch() for path, layer in model.adapters["default"].layers.items() if "_proj" in path]
    assert all(torch.equal(stretch, torch.ones_like(stretch)) for stretch in stretches)


def test_a_row_of_zeros_does_no_harm() -> None:
    base = linear()
    base.weight[2] = 0.0
    layer = settled(DoraLinear(base, RANK, ALPHA))
    layer(inputs()).sum().backward()
    assert layer(inputs()).isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.own_parameters().values())


def test_it_trains_as_many_numbers_as_the_formula_says_under_the_names_of_hf() -> None:
    base, config = small_base(), LoraConfig(r=2, use_dora=True, target_modules=["q_proj", "fc1"])
    model = get_peft_model(base, config)
    count = 5 * (2 * (24 + 24) + 24) + 3 * (2 * (24 + 40) + 40)
    assert model.get_nb_trainable_parameters()[0] == count
    path = "base_model.model.decoder.layers.0.feed_forward.fc1"
    names = {name.removeprefix(f"{path}.") for name in model.adapters["default"].saved() if name.startswith(path)}
    assert names == {"lora_A.weight", "lora_B.weight", "lora_magnitude_vector"}
    assert model.adapters["default"].saved()[f"{path}.lora_magnitude_vector"].shape == (40,)


def test_the_second_step_moves_a_too() -> None:
    layer, x = settled(DoraLinear(linear(), RANK, ALPHA)), inputs()
    for expected in (False, True):
        layer.zero_grad()
        layer(x).square().sum().backward()
        assert bool(layer.lora_A.weight.grad.any()) is expected
        assert layer.lora_B.weight.grad.any()
        with torch.no_grad():
            layer.lora_B.weight -= 0.01 * layer.lora_B.weight.grad


def test_two_of_them_cannot_be_summed() -> None:
    model = technique("dora")
    model.add_adapter("second", LoraConfig(r=2, use_dora=True))
    with pytest.raises(ValueError, match="default, second cannot be summed"):
        model.set_adapter(["default", "second"])


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=f"rank 6 .* smaller side {min(D_IN, D_OUT)}"):
        DoraLinear(linear(), 6, ALPHA)
    with pytest.raises(ValueError, match="use_dora and init_lora_weights 'pissa'"):
        LoraConfig(use_dora=True, init_lora_weights="pissa")


def test_every_place_is_live() -> None:
    model = get_peft_model(small_base(), LoraConfig(r=2, use_dora=True, target_modules="all-linear")).eval()
    base = model(*batch())
    for path, layer in model.adapters["default"].layers.items():
        with torch.no_grad():
            layer.lora_magnitude_vector *= 1.3
        assert (model(*batch()) - base).abs().max() > 1e-5, f"{path} changes nothing"
        with torch.no_grad():
            layer.lora_magnitude_vector /= 1.3
