"""SSF: where it stands, how it starts, and that it disappears into the weights without a trace."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from peft import PeftModel, ScaledShifted, SSFConfig, get_peft_model
from quant import Linear4bit
from tests.peft.layers import arrays, inputs, linear, scatter
from tests.peft.small import CONFIG, batch, small_base
from tests.reference import adapters, lora_family
from tests.reference import ssf as reference
from transformer import EncoderOnly, LayerNorm


def norm() -> LayerNorm:
    layer = LayerNorm(7).double().requires_grad_(False)
    layer.weight.normal_()
    layer.bias.normal_()
    return layer


def scaled_base(norm: str = "pre", **settings: object) -> PeftModel:
    return get_peft_model(small_base(norm=norm), SSFConfig(**settings)).eval()


def test_a_linear_layer_is_scaled_and_shifted() -> None:
    layer, x = scatter(ScaledShifted(linear())), inputs()
    a = arrays(layer)
    y = lora_family.linear(x.numpy(), a["base.weight"], a["base.bias"])
    expected = reference.scale_and_shift(y, a["ssf_scale"], a["ssf_shift"])
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)


def test_a_norm_is_scaled_and_shifted() -> None:
    layer, x = scatter(ScaledShifted(norm())), inputs()
    a = arrays(layer)
    y = adapters.layer_norm(x.numpy(), a["base.weight"], a["base.bias"])
    expected = reference.scale_and_shift(y, a["ssf_scale"], a["ssf_shift"])
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("base", [linear, lambda: linear(bias=False), norm], ids=["linear", "without bias", "norm"])
def test_merged_is_exactly_the_same_function_and_not_the_base(base: object) -> None:
    layer, x = scatter(ScaledShifted(base())), inputs()
    before = {name: tensor.clone() for name, tensor in layer.base.state_dict().items()}
    merged = layer.merged()
    torch.testing.assert_close(merged(x), layer(x), atol=1e-12, rtol=0)
    assert type(merged) is type(layer.base)
    assert (merged(x) - layer.base(x)).abs().max() > 0.1
    assert all(torch.equal(before[name], tensor) for name, tensor in layer.base.state_dict().items())


@pytest.mark.parametrize(("order", "stacks"), [("pre", 2), ("post", 0)])
def test_it_trains_as_many_numbers_as_the_formula_says(order: str, stacks: int) -> None:
    trainable, _ = scaled_base(order).get_nb_trainable_parameters()
    assert trainable == reference.parameter_count(24, 40, 1, 2, stacks)


def test_it_starts_near_the_base_as_in_the_paper_or_exactly_there() -> None:
    expected = small_base()(*batch())
    distance = (scaled_base()(*batch()) - expected).abs().max()
    assert 1e-3 < distance < 1.0
    assert torch.equal(scaled_base(init="identity")(*batch()), expected)


def test_the_start_has_the_papers_mean_and_spread() -> None:
    layers = scaled_base().adapters["default"].layers.values()
    scale = torch.cat([layer.ssf_scale for layer in layers])
    shift = torch.cat([layer.ssf_shift for layer in layers])
    assert scale.mean().item() == pytest.approx(1.0, abs=0.003)
    assert shift.mean().item() == pytest.approx(0.0, abs=0.003)
    assert scale.std().item() == pytest.approx(0.02, rel=0.1)
    assert shift.std().item() == pytest.approx(0.02, rel=0.1)


def test_every_place_is_live_but_a_shift_of_the_keys_which_softmax_cannot_see() -> None:
    model = scaled_base(init="identity")
    base = model(*batch())
    for path, layer in model.adapters["default"].layers.items():
        for name, start in (("ssf_scale", 1.0), ("ssf_shift", 0.0)):
            parameter = getattr(layer, name)
            with torch.no_grad():
                parameter += torch.linspace(0.5, 1.5, len(parameter))
            live = (model(*batch()) - base).abs().max() > 1e-4
            assert live != (path.endswith("k_proj") and name == "ssf_shift"), f"{path}.{name}"
            with torch.no_grad():
                parameter.fill_(start)


def test_a_whole_model_merges_into_one_without_adapters() -> None:
    model = scaled_base()
    expected = model(*batch())
    merged = model.merge_and_unload()
    assert not any(isinstance(module, ScaledShifted) for module in merged.modules())
    torch.testing.assert_close(merged(*batch()), expected, atol=1e-5, rtol=1e-5)


def test_it_can_be_restricted_and_refuses_an_unknown_start() -> None:
    paths = scaled_base(sites=("feed_forward",)).adapters["default"].layers
    assert {path.split(".")[-1] for path in paths} == {"fc1", "fc2", "norm"}
    with pytest.raises(ValueError, match='"paper" or "identity", not \'ones\''):
        SSFConfig(init="ones")


def test_a_layer_in_four_bits_is_scaled_and_shifted() -> None:
    base, x = Linear4bit.from_linear(torch.nn.Linear(64, 5), compute_dtype=torch.float32), torch.randn(3, 64)
    layer = ScaledShifted(base)
    torch.testing.assert_close(layer(x), layer.ssf_scale * base(x) + layer.ssf_shift)


def test_what_a_merge_makes_of_a_layer_in_four_bits_is_as_frozen_as_it_was() -> None:
    base = torch.nn.Sequential(Linear4bit.from_linear(torch.nn.Linear(64, 5, bias=False)))
    with pytest.warns(UserWarning, match="keeps the rounding of its 4 bits"):
        merged = get_peft_model(base, SSFConfig()).merge_and_unload()

    assert {name: parameter.requires_grad for name, parameter in merged.named_parameters()} == {
        "0.weight": False,
        "0.bias": False,
    }


def test_a_base_without_an_operation_in_its_sites_is_refused() -> None:
    base = EncoderOnly(replace(CONFIG, num_decoder_layers=0))
    with pytest.raises(ValueError, match="no operation to scale within the sites cross"):
        get_peft_model(base, SSFConfig(sites=("cross",)))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_base_in_half_precision_stays_in_it_when_it_is_merged(norm: str) -> None:
    merged = get_peft_model(small_base(norm=norm).bfloat16(), SSFConfig()).eval().merge_and_unload()
    assert {tensor.dtype for tensor in merged.parameters()} == {torch.bfloat16}
    assert merged(*batch()).dtype == torch.bfloat16
