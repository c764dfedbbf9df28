"""A technique from outside the repository: one file that defines it, one line in RECIPES, and the frame does the rest.

LoHa: the update is the Hadamard product of two low-rank products, so its rank may be r² with the parameters of two LoRAs.

    ΔW = (α/r) · (B₁ A₁) ⊙ (B₂ A₂)        "FedPara" (arXiv 2108.06098)
"""

import importlib
import os
import pickle
import sys
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from peft import RECIPES, PeftConfig, PeftModel, get_peft_model
from peft.frame.config import CONFIGS, Placement
from peft.frame.layers import AdaptedLayer, AdditiveLayer
from tests.peft.small import CONFIG, batch, config_of, small_base, take_steps, technique

LOHA = '''
    from dataclasses import dataclass
    from typing import ClassVar

    import torch
    import torch.nn.functional as F
    from torch import nn

    from peft import RECIPES, PeftConfig, Recipe
    from peft.frame.config import Placement
    from peft.frame.layers import AdditiveLayer
    from peft.frame.targets import target_linears
    from peft.frame.weights import plus_delta


    class LohaLinear(AdditiveLayer):
        """y = W x + b + (α/r) · [(B₁ A₁) ⊙ (B₂ A₂)] x"""

        def __init__(self, base, rank, alpha):
            super().__init__(base)
            self.scaling = alpha / rank
            self.A1, self.A2 = (nn.Parameter(0.1 * torch.randn(rank, base.in_features)) for _ in range(2))
            self.B1 = nn.Parameter(torch.randn(base.out_features, rank))
            self.B2 = nn.Parameter(torch.zeros(base.out_features, rank))

        def weight(self):
            return self.scaling * (self.B1 @ self.A1) * (self.B2 @ self.A2)

        def delta(self, x):
            return F.linear(x, self.weight())

        def merged(self):
            return plus_delta(self.base, self.weight())


    @dataclass(frozen=True)
    class LohaConfig(PeftConfig):
        r: int = 4
        alpha: float = 8
        target_modules: tuple[str, ...] = ("q_proj", "v_proj")
        peft_type: ClassVar[str] = "LOHA"

        def place(self, model):
            targets = target_linears(self, model, self.target_modules)
            return Placement({path: LohaLinear(base, self.r, self.alpha) for path, base in targets.items()})


    RECIPES["loha"] = Recipe(LohaConfig, {"r": 3}, family="LoRA family")
'''


@pytest.fixture
def loha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, imported from a folder of its own; afterwards it is as if it had never been."""
    (tmp_path / "loha.py").write_text(textwrap.dedent(LOHA), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("loha")
    del RECIPES["loha"], CONFIGS["LOHA"], sys.modules["loha"]


def test_it_computes_its_formula_and_is_the_base_at_the_start(loha: ModuleType) -> None:
    model = technique("loha", small_base().double())
    path = "encoder.layers.0.self_attention.q_proj"
    layer, x = model.adapters["default"].layers[path], torch.randn(2, 3, 24, dtype=torch.float64)
    assert torch.equal(layer(x), layer.base(x))

    take_steps(model)

    own = {name: parameter.detach().numpy() for name, parameter in layer.own_parameters().items()}
    delta = 8 / 3 * (own["B1"] @ own["A1"]) * (own["B2"] @ own["A2"])
    expected = layer.base(x).detach().numpy() + x.numpy() @ delta.T
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, atol=1e-12)
    assert np.linalg.matrix_rank(delta) == 9, "two of rank 3 give 3²"


def test_the_frame_counts_explains_disables_and_copies_it(loha: ModuleType, capsys: pytest.CaptureFixture) -> None:
    model = get_peft_model(small_base(), RECIPES["loha"].config())
    take_steps(model)
    rows = model.explain()

    count = (1 + 2 * 2) * 2 * (2 * 3 * 24 + 2 * 24 * 3)  # attentions, q and v, A and B twice
    assert model.get_nb_trainable_parameters()[0] == sum(row["parameters"] for row in rows) == count
    assert "LohaLinear 3×24, 3×24, 24×3, 24×3" in capsys.readouterr().out
    changed = model(*batch())
    with model.disable_adapter():
        assert torch.equal(model(*batch()), small_base()(*batch()))
    assert (changed - small_base()(*batch())).abs().max() > 1e-4
    assert torch.equal(pickle.loads(pickle.dumps(model))(*batch()), changed)
    assert torch.equal(model.unload()(*batch()), small_base()(*batch()))


def test_it_is_saved_loaded_and_merged(loha: ModuleType, tmp_path: os.PathLike) -> None:
    model = technique("loha")
    take_steps(model)
    expected = model(*batch())
    model.save_pretrained(tmp_path)

    loaded = PeftModel.from_pretrained(small_base(), tmp_path)

    assert torch.equal(loaded(*batch()), expected)
    assert type(loaded.peft_config["default"]) is loha.LohaConfig
    torch.testing.assert_close(loaded.merge_and_unload()(*batch()), expected, atol=1e-5, rtol=1e-5)


def test_it_is_summed_and_mixed_with_others(loha: ModuleType) -> None:
    model = technique("loha", trainable_token_indices=())
    take_steps(model)
    model.add_adapter("lora", config_of("lora", init_lora_weights=False, trainable_token_indices=()))
    source, target = batch()
    alone = {}
    for name in ("default", "lora"):
        model.set_adapter(name)
        alone[name] = model(source, target)

    mixed = model(source, target, adapter_names=["lora", "default"])
    model.set_adapter(["default", "lora"])

    torch.testing.assert_close(mixed[0], alone["lora"][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mixed[1], alone["default"][1], atol=1e-5, rtol=1e-5)
    slot, x = model.base_model.encoder.layers[0].self_attention.q_proj, torch.randn(2, 3, 24)
    parts = slot.base(x) + slot.layers["default"].delta(x) + slot.layers["lora"].delta(x)
    torch.testing.assert_close(slot(x), parts)


def test_on_a_half_precision_base_and_under_autocast_it_says_nothing_of_types(loha: ModuleType) -> None:
    model = technique("loha", small_base().bfloat16())
    own = model.adapters["default"].own_parameters().values()
    assert {parameter.dtype for parameter in own} == {torch.float32}
    assert model(*batch()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        technique("loha")(*batch()).float().square().mean().backward()


def test_another_technique_of_the_same_name_is_refused(loha: ModuleType) -> None:
    with pytest.raises(ValueError, match="'LOHA' of Other is taken by LohaConfig"):
        type("Other", (loha.LohaConfig,), {"peft_type": "LOHA"})
    again = type("LohaConfig", (loha.LohaConfig,), {"peft_type": "LOHA"})
    assert CONFIGS["LOHA"] is again, "a class that is defined anew, as in a notebook, takes its own place"


def test_a_config_without_a_name_cannot_be_put_on_a_base(loha: ModuleType) -> None:
    nameless = type("Nameless", (loha.LohaConfig,), {"peft_type": ""})
    with pytest.raises(TypeError, match="Nameless has no peft_type"):
        get_peft_model(small_base(), nameless())


class Gate(nn.Module):
    """A trained vector that all layers of an adapter share."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))


class Gated(AdditiveLayer):
    """y = base(x) + gate ⊙ x"""

    def __init__(self, base: nn.Module, gate: Gate) -> None:
        super().__init__(base)
        self.gates = (gate,)  # in a tuple it is no part of the layer, and so not saved with each

    def delta(self, x: torch.Tensor) -> torch.Tensor:
        return self.gates[0].weight * x


class Scaled(AdaptedLayer):
    """y = scale · base(x), which cannot be summed with what others add"""

    def __init__(self, base: nn.Module) -> None:
        super().__init__(base)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.base(x)


@pytest.fixture
def gated() -> Iterator[type[PeftConfig]]:
    """A technique of two kinds of layers, some of which share what they train."""

    @dataclass(frozen=True)
    class GatedConfig(PeftConfig):
        scaled: bool = False
        peft_type: ClassVar[str] = "GATED"

        def place(self, model: nn.Module) -> Placement:
            gate = Gate(CONFIG.d_model)
            layers = {path: Gated(base, gate) for path, base in self.named(model, ("q_proj",)).items()}
            if self.scaled:
                layers |= {path: Scaled(base) for path, base in self.named(model, ("fc1",)).items()}
            return Placement(layers, shared=gate)

    yield GatedConfig
    del CONFIGS["GATED"]


def test_what_layers_share_is_trained_counted_explained_saved_and_loaded(gated, tmp_path: Path) -> None:
    model = get_peft_model(small_base().double(), gated())
    take_steps(model, count=1)
    trained = model.adapters["default"].shared.weight
    assert trained.dtype == torch.float64
    assert trained.all()
    total = sum(parameter.numel() for parameter in small_base().parameters()) + CONFIG.d_model
    assert model.get_nb_trainable_parameters() == (CONFIG.d_model, total)
    assert [row["site"] for row in model.explain() if row["parameters"]] == ["(shared)"]

    model.save_pretrained(tmp_path)

    loaded = PeftModel.from_pretrained(small_base().double(), tmp_path)
    assert torch.equal(loaded.adapters["default"].shared.weight, trained)
    assert torch.equal(loaded(*batch()), model(*batch()))


@pytest.mark.parametrize("scaled", [True, False])
def test_it_is_summed_only_if_every_layer_of_it_adds(gated, scaled: bool) -> None:
    model = get_peft_model(small_base(), gated())
    model.add_adapter("second", gated(scaled=scaled))
    with pytest.raises(ValueError, match="second cannot be summed") if scaled else nullcontext():
        model.set_adapter(["default", "second"])
