"""IA3: factors on keys, values and the inside of the feed forward."""

import numpy as np
import pytest
import torch

from peft import IA3Config, IA3Linear, get_peft_model
from tests.peft.layers import D_IN, D_OUT, arrays, inputs, linear, scatter
from tests.peft.small import batch, small_base
from tests.reference import lora_family as reference


@pytest.mark.parametrize("feedforward", [False, True])
def test_it_is_its_formula(feedforward: bool) -> None:
    layer, x = scatter(IA3Linear(linear(), feedforward)), inputs()
    a = arrays(layer)
    expected = reference.ia3(x.numpy(), a["base.weight"], a["base.bias"], a["ia3_l"], feedforward)
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("feedforward", [False, True])
def test_merged_is_the_same_function_and_not_the_base(feedforward: bool, bias: bool) -> None:
    layer, x = scatter(IA3Linear(linear(bias), feedforward)), inputs()
    merged = layer.merged()
    torch.testing.assert_close(merged(x), layer(x))
    assert (merged(x) - layer.base(x)).abs().max() > 0.1


def test_the_shape_of_the_factors_says_which_side_they_scale() -> None:
    assert IA3Linear(linear()).ia3_l.shape == (D_OUT, 1)
    assert IA3Linear(linear(), feedforward=True).ia3_l.shape == (1, D_IN)


def test_it_trains_two_vectors_for_each_attention_and_one_for_each_feed_forward() -> None:
    model = get_peft_model(small_base(), IA3Config())
    attentions, feed_forwards = 1 + 2 * 2, 1 + 2
    assert model.get_nb_trainable_parameters()[0] == 2 * 24 * attentions + 40 * feed_forwards
    assert "base_model.model.decoder.layers.1.cross_attention.k_proj.ia3_l" in model.adapters["default"].saved()


def test_it_starts_as_the_base_unless_it_starts_at_random() -> None:
    x = inputs()
    layer = IA3Linear(linear())
    assert torch.equal(layer(x), layer.base(x))
    layer = IA3Linear(linear(), init_ia3_weights=False)
    assert (layer(x) - layer.base(x)).abs().max() > 0.1


def test_every_place_is_live() -> None:
    model = get_peft_model(small_base(), IA3Config()).eval()
    base = model(*batch())
    layers = model.adapters["default"].layers
    assert len(layers) == 2 * 5 + 3
    for path, layer in layers.items():
        with torch.no_grad():
            layer.ia3_l.fill_(1.5)
        assert (model(*batch()) - base).abs().max() > 1e-5, f"{path} changes nothing"
        with torch.no_grad():
            layer.ia3_l.fill_(1.0)


def test_a_feed_forward_module_must_be_a_target() -> None:
    with pytest.raises(ValueError, match="feedforward_modules fc1 are no target_modules"):
        IA3Config(target_modules=["k_proj", "fc2"], feedforward_modules=["fc1"])


def test_it_can_be_restricted_to_one_kind_of_place() -> None:
    model = get_peft_model(small_base(), IA3Config(sites=("cross",)))
    assert all("cross_attention" in path for path in model.adapters["default"].layers)


@pytest.mark.parametrize("feedforward", ["fc2", "fc[89]", ("k_proj", "fc9")])
def test_a_feed_forward_module_must_be_in_the_base(feedforward: str | tuple[str, ...]) -> None:
    config = IA3Config(target_modules=r".*(k_proj|fc2)", feedforward_modules=feedforward)
    with pytest.raises(ValueError, match=r"feedforward module 'fc.*' matches no linear layer; there are fc1, fc2"):
        get_peft_model(small_base(), config)


def test_a_pattern_of_feed_forward_modules_scales_their_inputs() -> None:
    layers = get_peft_model(small_base(), IA3Config(feedforward_modules=r".*fc2")).adapters["default"].layers
    assert {path for path, layer in layers.items() if layer.feedforward} == {path for path in layers if "fc2" in path}


def test_the_default_of_feed_forward_modules_asks_for_none() -> None:
    model = get_peft_model(torch.nn.Sequential(linear()), IA3Config(target_modules="all-linear"))
    assert not model.adapters["default"].layers["0"].feedforward
