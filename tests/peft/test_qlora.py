"""QLoRA: LoRA on four bits, and what a merge back into four bits loses."""

import warnings
from pathlib import Path

import pytest
import torch

from peft import LoraConfig, LoraLinear, PeftModel, get_peft_model
from peft.qlora import lost_share, merged_in_4bit, on_fp4, on_int4, on_nf4
from quant import Linear4bit, LinearQ4, linear_layers
from tests.peft.small import batch, small_base, take_steps, technique


def test_only_the_output_stays_in_full_precision() -> None:
    model = technique("qlora")
    sites = {path for path, _ in model.adapters["default"].layers.items() if not path.endswith("embedding")}
    layers = [module for module in model.base_model.modules() if isinstance(module, Linear4bit)]
    assert len(layers) == 6 + 2 * 10  # one encoder layer, two decoder layers
    assert len(sites - {"output"}) == len(layers)


@pytest.mark.parametrize(("prepare", "kind"), [(on_nf4, "nf4"), (on_fp4, "fp4"), (on_int4, "int4")])
def test_every_format_keeps_its_scales_in_eight_bits(prepare: object, kind: str) -> None:
    row = next(row for row in linear_layers(prepare(small_base())) if row.path == "encoder.layers.0.feed_forward.fc1")
    plain = Linear4bit.from_linear(small_base().encoder.layers[0].feed_forward.fc1, double_quant=False)
    assert row.kind == kind
    assert row.nbytes != plain.nbytes


def test_an_adapter_at_its_start_is_the_quantized_base() -> None:
    quantized = on_nf4(small_base())
    expected = quantized(*batch())
    model = get_peft_model(quantized, LoraConfig(r=3, target_modules="all-linear"))
    assert torch.equal(model(*batch()), expected)
    assert not torch.equal(expected, small_base()(*batch()))


def test_a_layer_in_four_bits_counts_the_weights_that_it_stands_for() -> None:
    quantized, plain = (get_peft_model(base, LoraConfig(r=3)) for base in (on_nf4(small_base()), small_base()))
    assert quantized.get_nb_trainable_parameters() == plain.get_nb_trainable_parameters()


@pytest.mark.parametrize("prepare", [on_nf4, on_fp4, on_int4])
def test_gradients_reach_the_adapter_and_never_the_base(prepare: object) -> None:
    model = get_peft_model(prepare(small_base()), LoraConfig(r=3, target_modules="all-linear"))
    take_steps(model)
    assert all("lora_" in name for name, p in model.named_parameters() if p.grad is not None)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_merging_into_the_dequantized_weight_warns_and_is_exact() -> None:
    model = technique("qlora")
    take_steps(model)
    expected = model(*batch())
    with pytest.warns(UserWarning, match="4 bits"):
        merged = model.merge_and_unload()
    torch.testing.assert_close(merged(*batch()), expected, atol=2e-5, rtol=2e-5)


def test_merging_back_into_four_bits_says_how_much_of_the_update_is_lost() -> None:
    torch.manual_seed(0)
    base = Linear4bit.from_linear(torch.nn.Linear(64, 48), compute_dtype=torch.float32)
    small, large = (LoraLinear(base, rank=4, alpha=4, initialization=False) for _ in range(2))
    with torch.no_grad():
        small.lora_B.weight.mul_(0.01)
        large.lora_B.weight.mul_(10.0)
    with pytest.warns(UserWarning, match=r"\d+ % of the update's length"):
        tiny, whole = merged_in_4bit(small), merged_in_4bit(large)
    before = base.dequantized()
    assert lost_share(small.merged().weight - before, tiny.dequantized() - before) > 0.9
    assert lost_share(large.merged().weight - before, whole.dequantized() - before) < 0.3
    with pytest.raises(TypeError, match="Linear4bit"):
        merged_in_4bit(LoraLinear(torch.nn.Linear(8, 8), rank=2, alpha=2))


def test_an_adapter_of_one_format_is_refused_on_another(tmp_path: Path) -> None:
    technique("qlora").save_pretrained(tmp_path)

    with pytest.raises(ValueError, match="was trained on another base"):
        PeftModel.from_pretrained(on_fp4(small_base()), tmp_path)


@pytest.mark.parametrize("minimum", [True, False])
def test_a_merge_goes_back_into_the_four_bits_of_a_gguf(minimum: bool) -> None:
    torch.manual_seed(0)
    layer = LoraLinear(LinearQ4.from_linear(torch.nn.Linear(64, 24), minimum), rank=2, alpha=6)
    torch.nn.init.normal_(layer.lora_B.weight)
    with pytest.warns(UserWarning, match="into a quantized base"):
        wanted = layer.merged()

    with pytest.warns(UserWarning, match="% of the update's length is rounding error"):
        again = merged_in_4bit(layer)

    assert isinstance(again, LinearQ4)
    assert again.minimum == minimum
    assert torch.equal(again.dequantized(), LinearQ4.from_linear(wanted, minimum).dequantized())


def test_a_model_in_the_four_bits_of_a_gguf_is_quantized_already_and_listed() -> None:
    model = torch.nn.Sequential(LinearQ4.from_linear(torch.nn.Linear(32, 8)), torch.nn.Linear(8, 4))

    assert [row.kind for row in linear_layers(model)] == ["q4_1", "linear"]
    assert linear_layers(model)[0].nbytes == 32 * 8 * 5 // 8 + 4 * 8
    with pytest.raises(ValueError, match="quantized already: 0 and 0 more are LinearQ4"):
        on_nf4(model)


def test_the_share_that_it_tells_is_that_of_the_update() -> None:
    layer = LoraLinear(Linear4bit.from_linear(torch.nn.Linear(64, 48)), rank=4, alpha=4, initialization=False)
    with pytest.warns(UserWarning, match="into a quantized base"):
        wanted = layer.merged().weight

    with warnings.catch_warnings(record=True) as said:
        again = merged_in_4bit(layer)

    lost = (again.dequantized() - wanted).norm() / (wanted - layer.base.dequantized()).norm()
    assert [str(warning.message) for warning in said] == [
        f"merged back into 4 bits: {100 * lost:.0f} % of the update's length is rounding error"
    ]


def test_of_no_update_nothing_is_lost() -> None:
    assert lost_share(torch.zeros(2, 3), torch.zeros(2, 3)) == 0.0
