"""What every technique keeps, kept on bases that differ wherever a config lets them: norms, biases, ε, positions."""

import copy
import warnings

import pytest
import torch

from peft import PeftModel
from tests.peft.small import METHODS, batch, prepared, small_base, step_by_step, take_steps, technique
from tests.transformer.zoo import ZOO

ODD = [kind for kind in ZOO if kind != "the paper's"]


def odd_base(kind: str) -> torch.nn.Module:
    return small_base(**{"norm": "post", **ZOO[kind]})


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("method", METHODS)
def test_disabled_saved_merged_and_cached_are_the_same(method: str, kind: str, tmp_path) -> None:
    base = prepared(method, odd_base(kind))(*batch())
    model = technique(method, odd_base(kind))
    take_steps(model)
    said = model(*batch())

    assert (said - base).abs().max() > 1e-4
    with model.disable_adapter():
        assert torch.equal(model(*batch()), base)
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(prepared(method, odd_base(kind)), tmp_path)
    torch.testing.assert_close(loaded(*batch()), said, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(step_by_step(model, *batch()), said, atol=1e-5, rtol=1e-5)
    if all(layer.merges for layer in model.adapters["default"].layers.values()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a quantized base says that it merges with its rounding
            merged = copy.deepcopy(model).merge_and_unload()
        torch.testing.assert_close(merged(*batch()), said, atol=5e-5, rtol=5e-5)
