"""PiSSA: the principal directions, a base that is left alone, and the plain LoRA that is saved."""

import os

import numpy as np
import pytest
import torch

from peft import LoraConfig, LoraLinear, PeftModel, PissaLinear, get_peft_model
from tests.peft.layers import arrays, inputs, linear, scatter
from tests.peft.small import batch, small_base, take_steps
from tests.reference import lora_family as reference

RANK, ALPHA = 3, 5.0


def adapted(**settings: object) -> PeftModel:
    settings = {"r": 4, "lora_alpha": 6, "target_modules": ["q_proj", "fc1"], **settings}
    return get_peft_model(small_base(), LoraConfig(init_lora_weights="pissa", **settings))


@pytest.mark.parametrize("use_rslora", [False, True])
def test_it_is_the_papers_formula_without_touching_the_base(use_rslora: bool) -> None:
    base, x = linear(), inputs()
    before = base.weight.clone()
    layer = scatter(PissaLinear(base, RANK, ALPHA, use_rslora=use_rslora))
    scaling = ALPHA / (np.sqrt(RANK) if use_rslora else RANK)
    a = arrays(layer)
    expected = reference.pissa(
        x.numpy(), a["base.weight"], a["base.bias"], a["lora_A.weight"], a["lora_B.weight"], RANK, scaling
    )
    np.testing.assert_allclose(layer(x).detach(), expected, atol=1e-12)
    assert torch.equal(base.weight, before)


def test_it_starts_as_the_base_with_the_principal_part_of_its_matrix() -> None:
    layer, x = PissaLinear(linear(), RANK, ALPHA), inputs()
    assert torch.equal(layer(x), layer.base(x))
    values = np.linalg.svd(layer.base.weight.numpy(), compute_uv=False)
    learned = (ALPHA / RANK * layer.lora_B.weight @ layer.lora_A.weight).detach().numpy()
    np.testing.assert_allclose(np.linalg.svd(learned, compute_uv=False)[:RANK], values[:RANK])
    rest = np.linalg.svd(layer.base.weight.numpy() - learned, compute_uv=False)
    np.testing.assert_allclose(rest[:-RANK], values[RANK:], atol=1e-12)


def test_it_starts_as_the_base_to_the_last_bit_at_the_size_of_the_base() -> None:
    """Large enough for the processor to choose its way through a matrix by how it lies in memory."""
    layer, x = PissaLinear(torch.nn.Linear(128, 512), 8, 16.0), torch.randn(70, 11, 128)
    assert torch.equal(layer(x), layer.base(x))


def test_dropout_touches_what_is_learned_and_not_what_is_taken_out() -> None:
    layer, x = PissaLinear(linear(), RANK, ALPHA, dropout=0.4).train(), inputs()
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(x, 0.4)
    torch.manual_seed(3)
    principal = ALPHA / RANK * layer.start_B @ layer.start_A
    torch.testing.assert_close(layer(x), layer.base(x) + (dropped - x) @ principal.T)


def test_merged_is_the_same_function_and_not_the_base() -> None:
    layer, x = scatter(PissaLinear(linear(), RANK, ALPHA)).eval(), inputs()
    torch.testing.assert_close(layer.merged()(x), layer(x))
    assert (layer(x) - layer.base(x)).abs().max() > 0.1


def test_both_matrices_learn_from_the_first_step() -> None:
    layer = PissaLinear(linear(), RANK, ALPHA)
    layer(inputs()).square().sum().backward()
    assert layer.lora_A.weight.grad.any()
    assert layer.lora_B.weight.grad.any()


@pytest.mark.parametrize("use_rslora", [False, True])
@pytest.mark.parametrize("rank", [4, 20])
def test_it_is_saved_as_plain_lora_that_computes_the_same(use_rslora: bool, rank: int, tmp_path: os.PathLike) -> None:
    patterns = {"rank_pattern": {"decoder.layers.0.feed_forward.fc1": 5}, "alpha_pattern": {"encoder.*q_proj": 9}}
    model = adapted(r=rank, use_rslora=use_rslora, **patterns)
    take_steps(model)
    expected = model(*batch())
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(), tmp_path)
    torch.testing.assert_close(loaded(*batch()), expected, atol=2e-5, rtol=1e-4)
    config = loaded.peft_config["default"]
    assert (config.r, config.init_lora_weights, config.use_rslora) == (2 * rank, True, use_rslora)
    assert config.lora_alpha == pytest.approx((np.sqrt(2) if use_rslora else 2) * 6)
    ranks = {path: len(w.lora_A.weight) for path, w in loaded.adapters["default"].layers.items()}
    assert ranks["decoder.layers.0.feed_forward.fc1"] == 10
    assert ranks["encoder.layers.0.feed_forward.fc1"] == min(2 * rank, 24)
    assert all(type(layer) is LoraLinear for layer in loaded.adapters["default"].layers.values())


def test_what_is_saved_is_not_changed_by_writing_it_in_another_form() -> None:
    adapter = adapted().adapters["default"]
    saved = adapter.saved()
    names = list(saved)

    adapter.config.to_hf(saved)

    assert list(saved) == names


def test_it_trains_as_many_numbers_as_lora() -> None:
    assert adapted().get_nb_trainable_parameters()[0] == 5 * 4 * (24 + 24) + 3 * 4 * (24 + 40)


def test_other_adapters_on_the_same_base_see_the_whole_matrix() -> None:
    model = adapted()
    take_steps(model)
    model.add_adapter("plain", LoraConfig(r=2))
    model.set_adapter("plain")
    assert torch.equal(model(*batch()), small_base()(*batch()))
