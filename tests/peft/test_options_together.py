"""Options beside others: what one of them does, it does beside the others too; and names that begin alike are two names."""

import math

import pytest
import torch
from torch import Tensor, nn

from peft import RECIPES, IA3Config, LNTuningConfig, LoraConfig, VeraConfig, get_peft_model
from peft.frame.config import PeftConfig
from quant import FP4_CODEBOOK, INT4_CODEBOOK, NF4_CODEBOOK, Linear4bit, quantize_model
from tests.peft.small import batch, small_base

OUT = "decoder.layers.1.self_attention.q_proj"


def layers_of(config: PeftConfig, base: nn.Module | None = None) -> set[str]:
    adapter = get_peft_model(base or small_base(), config).adapters["default"]
    return {*adapter.layers, *(name.rpartition(".")[0] for name in adapter.owned.names)}


@pytest.mark.parametrize(
    ("config", "changes", "excluded"),
    [
        (LoraConfig, {"target_modules": "all-linear"}, (OUT, "fc1")),
        (LoraConfig, {"use_dora": True, "r": 3, "rank_pattern": {"q_proj": 2}}, (OUT,)),
        (LoraConfig, {"target_modules": r".*\.[qk]_proj", "sites": ("decoder_self",)}, (OUT, "k_proj")),
        (VeraConfig, {"target_modules": ("q_proj", "fc1")}, (OUT, "fc1")),
        (IA3Config, {"target_modules": "all-linear", "feedforward_modules": ("fc2",)}, (OUT, "fc2")),
        (LNTuningConfig, {}, ("decoder.layers.1.self_attention_norm.norm",)),
    ],
)
def test_what_is_excluded_is_left_out_and_nothing_else(config: type, changes: dict, excluded: tuple[str, ...]) -> None:
    every = layers_of(config(**changes))

    chosen = layers_of(config(**changes, exclude_modules=excluded))

    gone = {path for path in every if any(f".{path}".endswith(f".{name}") for name in excluded)}
    assert gone
    assert chosen == every - gone


@pytest.mark.parametrize("use_dora", [True, False])
@pytest.mark.parametrize("start", [True, "gaussian", "pissa"])
def test_rslora_is_the_scale_alpha_over_the_root_of_the_rank(use_dora: bool, start: object) -> None:
    if use_dora and start == "pissa":
        pytest.skip("DoRA with PiSSA's start is refused")
    answers = []
    for settings in ({"use_rslora": True, "lora_alpha": 3.0}, {"lora_alpha": 3.0 * math.sqrt(4)}):
        torch.manual_seed(1)
        config = LoraConfig(r=4, use_dora=use_dora, init_lora_weights=start, **settings)
        model = get_peft_model(small_base(), config)
        with torch.no_grad():
            for name, parameter in model.adapters["default"].own_parameters().items():
                if "lora_B" in name:
                    parameter.add_(0.1)
        answers.append(model(*batch()))

    torch.testing.assert_close(answers[0], answers[1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "codebook"), [("qlora", NF4_CODEBOOK), ("lora_fp4", FP4_CODEBOOK), ("lora_int4", INT4_CODEBOOK)]
)
def test_a_recipe_on_four_bits_has_its_codebook_and_quantizes_the_scales_too(method: str, codebook: Tensor) -> None:
    base = RECIPES[method].prepare(small_base())

    layers = [module for module in base.modules() if isinstance(module, Linear4bit)]
    assert layers
    for layer in layers:
        torch.testing.assert_close(layer.codebook.float(), codebook.float())
        assert layer.double_quant
        assert layer.settings["double_quant"] is True
        assert layer.settings["block_size"] == 64


class Alike(nn.Module):
    """A base whose names begin alike."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc10, self.my_fc1 = (nn.Linear(64, 64) for _ in range(3))
        self.inner = nn.ModuleDict({"fc1": nn.Linear(64, 64), "fc10": nn.Linear(64, 64)})

    def forward(self, x: Tensor) -> Tensor:
        return self.inner["fc10"](self.inner["fc1"](self.my_fc1(self.fc10(self.fc1(x)))))


ALIKE = {"fc1", "fc10", "my_fc1", "inner.fc1", "inner.fc10"}
FC1 = {"fc1", "inner.fc1"}


def test_names_that_begin_alike_are_two_names() -> None:
    every = {"target_modules": "all-linear", "r": 4}
    assert layers_of(LoraConfig(r=4, target_modules=("fc1",)), Alike()) == FC1
    assert layers_of(LoraConfig(**every, exclude_modules=("fc1",)), Alike()) == ALIKE - FC1
    assert layers_of(LoraConfig(r=4, target_modules="fc1"), Alike()) == {"fc1"}

    model = get_peft_model(Alike(), LoraConfig(**every, rank_pattern={"fc1": 2}, alpha_pattern={"inner.fc10": 5.0}))
    layers = model.adapters["default"].layers
    assert {path for path, layer in layers.items() if layer.lora_A.out_features == 2} == FC1
    assert {path for path, layer in layers.items() if layer.scaling == 5.0 / 4} == {"inner.fc10"}

    saved = get_peft_model(Alike(), LoraConfig(r=4, target_modules=("my_fc1",), modules_to_save=("fc1",)))
    assert {name.rpartition(".")[0] for name in saved.adapters["default"].owned.names} == FC1

    quantized = quantize_model(Alike(), skip=("fc1",))
    packed = {path for path, module in quantized.named_modules() if isinstance(module, Linear4bit)}
    assert packed == ALIKE - FC1
