"""LoftQ: the start is nearer to the full-precision matrix than the rounded one, and afterwards it is plain LoRA."""

import os

import numpy as np
import pytest
import torch
from torch import nn

from peft import LoftQConfig, LoraConfig, LoraLinear, PeftModel, get_peft_model, quantize_with_loftq
from peft.loftq import LoftqLinear, alternate
from peft.qlora import on_nf4
from quant import NF4_CODEBOOK
from tests.peft.small import batch, small_base, take_steps
from tests.reference import loftq as reference

RANK, ALPHA, D_IN, D_OUT = 3, 5.0, 48, 40
EXACT = {"block_size": 16, "compute_dtype": torch.float64, "double_quant": False}


def config(**changes: object) -> LoraConfig:
    settings = {"r": RANK, "lora_alpha": ALPHA, "target_modules": "all-linear", "init_lora_weights": "loftq"}
    return LoraConfig(**{**settings, **changes})


def adapted(iterations: int = 1, **changes: object) -> PeftModel:
    wanted = config(loftq_config=LoftQConfig(loftq_iter=iterations), **changes)
    model = quantize_with_loftq(small_base(), wanted, compute_dtype=torch.float32)
    return get_peft_model(model, wanted).eval()


def error(layer: LoraLinear, weight: torch.Tensor) -> float:
    """How far Q + s B A is from the matrix."""
    start = layer.scaling * layer.lora_B.weight @ layer.lora_A.weight
    return float((layer.base.dequantized() + start - weight).detach().norm())


@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_it_is_the_papers_algorithm(iterations: int) -> None:
    linear = nn.Linear(D_IN, D_OUT, dtype=torch.float64)
    layer = LoftqLinear(alternate(linear, RANK, iterations, **EXACT), RANK, ALPHA)
    rounded, product = reference.loftq(linear.weight.detach().numpy(), RANK, iterations, NF4_CODEBOOK, 16)
    np.testing.assert_allclose(layer.base.dequantized(), rounded, atol=1e-6)
    start = ALPHA / RANK * layer.lora_B.weight @ layer.lora_A.weight
    np.testing.assert_allclose(start.detach(), product, atol=1e-6)


def test_an_error_of_the_same_rank_is_taken_up_whole_in_the_first_turn() -> None:
    levels = NF4_CODEBOOK[torch.randint(1, 15, (D_OUT, D_IN))].double()
    levels[:, ::16] = 1.0  # every block's scale is 1
    lost = torch.outer(torch.rand(D_OUT).double(), torch.rand(D_IN).double()) * 0.01
    lost[:, ::16] = 0.0
    linear = nn.Linear(D_IN, D_OUT, dtype=torch.float64)
    linear.weight.data = levels + lost
    layer = LoftqLinear(alternate(linear, 1, 1, **EXACT), 1, 0.5)
    torch.testing.assert_close(layer.base.dequantized(), levels)
    torch.testing.assert_close(0.5 * layer.lora_B.weight @ layer.lora_A.weight, lost, atol=1e-7, rtol=0)


def test_the_first_turn_leaves_the_singular_values_behind_the_rank() -> None:
    linear = nn.Linear(D_IN, D_OUT, dtype=torch.float64)
    layer = LoftqLinear(alternate(linear, RANK, 1), RANK, ALPHA, use_rslora=True)
    values = torch.linalg.svdvals(linear.weight - layer.base.dequantized())
    assert error(layer, linear.weight) == pytest.approx(values[RANK:].norm().item())


def test_on_normal_weights_every_turn_comes_nearer_than_rounding_alone() -> None:
    linear = nn.Linear(D_IN, D_OUT).requires_grad_(False)
    linear.weight.normal_()
    errors = [error(LoftqLinear(alternate(linear, 8, turns), 8, ALPHA), linear.weight) for turns in (1, 2, 5)]
    plain = float((alternate(linear, 8, 1).dequantized() - linear.weight).norm())
    assert plain > errors[0] > errors[1] > errors[2]


def test_the_model_starts_nearer_to_the_base_and_switches_off_to_the_quantized_one() -> None:
    base, model = small_base(), adapted(iterations=3, r=12)
    expected = base(*batch())
    started = (model(*batch()) - expected).norm()
    with model.disable_adapter():
        off = model(*batch())
    assert started < (off - expected).norm()
    assert torch.equal(model.unload()(*batch()), off)


def test_with_one_turn_the_base_is_the_plain_quantized_one() -> None:
    ours, plain = adapted().unload().state_dict(), on_nf4(small_base()).state_dict()
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
    more = adapted(iterations=2).unload().state_dict()
    assert not all(torch.equal(more[name], plain[name]) for name in plain)


@pytest.mark.parametrize("iterations", [1, 3])
def test_saved_as_plain_lora_and_loaded_on_the_quantized_base(iterations: int, tmp_path: os.PathLike) -> None:
    model = adapted(iterations, rank_pattern={"fc1": 5})
    take_steps(model)
    expected = model(*batch())
    model.save_pretrained(tmp_path)
    kept = model.unload().state_dict()
    base = on_nf4(small_base())
    base.load_state_dict(kept)
    for module in base.modules():
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = torch.float32
    loaded = PeftModel.from_pretrained(base, tmp_path)
    assert torch.equal(loaded(*batch()), expected)
    assert loaded.peft_config["default"].init_lora_weights is True


def test_it_trains_as_many_numbers_as_lora_in_full_precision() -> None:
    model = adapted(target_modules=("q_proj", "fc1"))
    take_steps(model)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(p.numel() for p in trained) == 5 * RANK * (24 + 24) + 3 * RANK * (24 + 40)
    assert {p.dtype for p in trained} == {torch.float32}
    assert all(p.grad is not None for p in trained)


def test_a_base_whose_full_precision_is_gone_is_refused_with_the_way_out() -> None:
    for base in (small_base(), on_nf4(small_base())):
        with pytest.raises(ValueError, match=r"quantize_with_loftq\(model, config\).*init_lora_weights=True"):
            get_peft_model(base, config())
    with pytest.raises(ValueError, match=r"q_proj.*quantized already \(load the model anew\)"):
        quantize_with_loftq(on_nf4(small_base()), config())
    with pytest.raises(ValueError, match=r"output.*tied"):
        quantize_with_loftq(small_base(), config(target_modules=("output",)))


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"loftq_bits is 4, .* not 2"):
        LoftQConfig(loftq_bits=2)
    with pytest.raises(ValueError, match="loftq_iter 0"):
        quantize_with_loftq(small_base(), config(loftq_config={"loftq_iter": 0}))
    with pytest.raises(ValueError, match='goes with init_lora_weights "loftq"'):
        LoraConfig(loftq_config={"loftq_iter": 2})
    with pytest.raises(ValueError, match="init_lora_weights True"):
        quantize_with_loftq(small_base(), LoraConfig())
    with pytest.raises(ValueError, match="for rank 3, not 4"):
        get_peft_model(quantize_with_loftq(small_base(), config()), config(r=4))


def test_what_the_rounding_took_is_kept_without_a_graph() -> None:
    base = quantize_with_loftq(small_base(), LoraConfig(r=2, init_lora_weights="loftq"))
    assert not any(buffer.requires_grad for buffer in base.buffers())
