"""Adapters: each style against its mathematics, where it sits, how it starts."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from peft import AdapterConfig, LoraConfig, PeftModel, get_peft_model
from peft.frame.paths import base_module, base_modules
from tests.peft.small import batch, small_base, take_steps
from tests.reference import adapters as reference

STYLES = ("houlsby", "pfeiffer", "parallel")


def adapted(style: str, norm: str = "pre", seed: int = 1, **changes: object) -> PeftModel:
    base = small_base(norm=norm).double()
    torch.manual_seed(seed)
    return get_peft_model(base, AdapterConfig(style=style, **{"bottleneck": 7, **changes}))


def with_large_weights(model: PeftModel) -> PeftModel:
    """Adapters far from their start, so that every term of the formula shows."""
    with torch.no_grad():
        for layer in model.adapters["default"].layers.values():
            for parameter in layer.own_parameters().values():
                parameter.normal_(std=0.5)
    return model.eval()


def weights_of(layer: nn.Module) -> dict[str, np.ndarray]:
    return {name: parameter.detach().numpy() for name, parameter in layer.adapter.named_parameters()}


def random_input() -> Tensor:
    return torch.randn(2, 5, 24, dtype=torch.float64)


def sublayer() -> Callable[[Tensor], Tensor]:
    linear = nn.Linear(24, 24, dtype=torch.float64)
    return lambda x: linear(x).tanh()


@pytest.mark.parametrize("path", ["encoder.layers.0.self_attention_norm", "decoder.layers.1.cross_attention_norm"])
def test_houlsby_is_its_formula_before_the_residual(path: str) -> None:
    model = with_large_weights(adapted("houlsby"))
    add_norm, inner, x = model.base_model.get_submodule(path), sublayer(), random_input()
    weights = weights_of(model.adapters["default"].layers[f"{path}.dropout"])
    expected = x.numpy() + reference.houlsby(inner(add_norm.norm(x)).detach().numpy(), weights)
    np.testing.assert_allclose(add_norm(x, inner).detach().numpy(), expected, atol=1e-12)


def test_houlsby_comes_after_the_dropout() -> None:
    layer = adapted("houlsby").adapters["default"].layers["encoder.layers.0.feed_forward_norm.dropout"]
    layer.base.p = 0.9
    layer.train()
    output = layer(torch.ones(2, 50, 24, dtype=torch.float64))
    zero = layer.adapter(torch.zeros(24, dtype=torch.float64)).abs().max()
    assert (output.abs() > zero + 1e-9).double().mean() > 0.9, "what was dropped comes back through the adapter"


def test_pfeiffer_in_post_norm_reads_behind_the_norm_and_is_normed_again() -> None:
    model = with_large_weights(adapted("pfeiffer", norm="post"))
    slot, inner, x = model.base_model.decoder.layers[1].feed_forward_norm, sublayer(), random_input()
    norm = slot.base.norm
    expected = reference.pfeiffer_post_norm(
        x.numpy(),
        inner(x).detach().numpy(),
        norm.weight.detach().numpy(),
        norm.bias.detach().numpy(),
        weights_of(slot.layers["default"]),
    )
    np.testing.assert_allclose(slot(x, inner).detach().numpy(), expected, atol=1e-12)


def test_pfeiffer_in_pre_norm_reads_the_sublayers_output() -> None:
    model = with_large_weights(adapted("pfeiffer", norm="pre"))
    slot, inner, x = model.base_model.encoder.layers[0].feed_forward_norm, sublayer(), random_input()
    output = inner(slot.base.norm(x)).detach().numpy()
    expected = reference.pfeiffer_pre_norm(x.numpy(), output, weights_of(slot.layers["default"]))
    np.testing.assert_allclose(slot(x, inner).detach().numpy(), expected, atol=1e-12)


def test_parallel_adds_to_the_feed_forward_what_it_reads_from_the_same_input() -> None:
    model = with_large_weights(adapted("parallel", scaling=2.5))
    slot, x = model.base_model.decoder.layers[0].feed_forward, random_input()
    output = slot.base(x).detach().numpy()
    expected = reference.parallel(x.numpy(), output, weights_of(slot.layers["default"]), scaling=2.5)
    np.testing.assert_allclose(slot(x).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("style", STYLES)
def test_it_trains_as_many_numbers_as_the_formula_says(style: str, norm: str) -> None:
    trainable, _ = adapted(style, norm).get_nb_trainable_parameters()
    norms = 2 + 2 * 3 + (2 if norm == "pre" else 0)
    assert trainable == reference.parameter_count(style, 24, 7, encoder_layers=1, decoder_layers=2, norms=norms)


def test_every_matrix_starts_with_its_own_distribution_and_every_bias_with_zero() -> None:
    for style, down, up in [("houlsby", 1e-3, 1e-3), ("pfeiffer", 0.02, 0.02), ("parallel", 1 / np.sqrt(3 * 24), 0.0)]:
        bottleneck = adapted(style, bottleneck=300).adapters["default"].layers
        layer = next(iter(bottleneck.values())).adapter
        cut = 0.88 if style == "houlsby" else 1.0  # the standard deviation of a normal that is cut at 2σ
        assert layer.down.weight.std().item() == pytest.approx(cut * down, rel=0.03)
        assert layer.up.weight.std().item() == pytest.approx(cut * up, rel=0.03)
        assert not layer.down.bias.any()
        assert not layer.up.bias.any()
    assert layer.down.weight.abs().max() <= 1 / np.sqrt(24)
    houlsby = next(iter(adapted("houlsby", bottleneck=300).adapters["default"].layers.values())).adapter
    assert houlsby.down.weight.abs().max() <= 2e-3


@pytest.mark.parametrize(("style", "difference"), [("houlsby", 1e-4), ("pfeiffer", 0.05), ("parallel", 0.0)])
def test_it_starts_at_the_base_or_near_it(style: str, difference: float) -> None:
    model = adapted(style).eval()
    with model.disable_adapter():
        base = model(*batch())
    distance = (model(*batch()) - base).abs().max().item()
    assert distance <= difference
    assert distance > 0 or style == "parallel"


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("style", STYLES)
def test_every_place_is_live(style: str, norm: str) -> None:
    model = with_large_weights(adapted(style, norm))
    complete = model(*batch())
    places = model.adapters["default"].layers
    layers = 1 + 2
    assert len(places) == (2 + 2 * 3 if style == "houlsby" else layers)
    for path, layer in places.items():
        kept = layer.adapter.up.weight.detach().clone()
        with torch.no_grad():
            layer.adapter.up.weight.zero_()
        assert (model(*batch()) - complete).abs().max() > 1e-6, f"{path} changes nothing"
        with torch.no_grad():
            layer.adapter.up.weight.copy_(kept)


@pytest.mark.parametrize(
    ("site", "part"),
    [
        ("encoder_self", "encoder.layers.0.self_attention_norm"),
        ("decoder_self", "decoder.layers.0.self_attention_norm"),
        ("cross", "decoder.layers.0.cross_attention_norm"),
        ("feed_forward", "encoder.layers.0.feed_forward_norm"),
    ],
)
def test_houlsby_can_be_restricted_to_one_kind_of_place(site: str, part: str) -> None:
    adapter = adapted("houlsby", sites=(site,)).adapters["default"]
    kind = part.split(".")[-1]
    assert f"{part}.dropout" in adapter.layers
    assert all(kind in path for path in adapter.layers)
    assert site == "feed_forward" or all(path.startswith(part.split(".")[0]) for path in adapter.layers)
    assert {name.split(".")[-3] for name in adapter.owned.names} == {kind}, "the norms keep to the sites too"


def test_only_houlsby_trains_the_norms() -> None:
    assert "decoder.norm.weight" in adapted("houlsby").adapters["default"].owned.names
    assert not adapted("pfeiffer").adapters["default"].owned.names
    assert not adapted("parallel").adapters["default"].owned.names


def test_two_parallel_adapters_can_be_summed_and_the_other_styles_refuse() -> None:
    model = with_large_weights(adapted("parallel"))
    model.add_adapter("second", AdapterConfig(style="parallel", bottleneck=3))
    model.set_adapter("second")
    take_steps(model, count=2)
    slot, x = model.base_model.encoder.layers[0].feed_forward, random_input()
    parts = slot.base(x) + slot.layers["default"].delta(x) + slot.layers["second"].delta(x)
    model.set_adapter(["default", "second"])
    torch.testing.assert_close(slot(x), parts)
    other = adapted("pfeiffer")
    other.add_adapter("second", AdapterConfig(style="pfeiffer"))
    with pytest.raises(ValueError, match="cannot be summed"):
        other.set_adapter(["default", "second"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style": "serial"}, "houlsby, pfeiffer, parallel"),
        ({"bottleneck": 0}, "bottleneck 0"),
        ({"style": "pfeiffer", "scaling": 2.0}, "parallel"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdapterConfig(**settings)


@pytest.mark.parametrize("bottleneck", [1, 2**20])
def test_the_narrowest_and_the_widest_bottleneck_are_taken(bottleneck: int) -> None:
    assert AdapterConfig(bottleneck=bottleneck).bottleneck == bottleneck


def test_a_style_without_a_place_in_the_sites_is_refused() -> None:
    with pytest.raises(ValueError, match="feed_forward within the sites cross"):
        adapted("parallel", sites=("cross",))


def test_a_module_of_the_base_is_found_at_its_path_also_below_a_slot():
    model = adapted("parallel")
    model.add_adapter("b", LoraConfig(target_modules=["fc1", "q_proj"]))

    for path, module in base_modules(model.base_model):
        assert base_module(model.base_model, path) is module
