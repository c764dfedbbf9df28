"""Mixed batches: what each row gives, it gives alone, and what it teaches, it teaches its own adapter."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from peft.frame.context import CallContext
from peft.frame.layers import AdditiveLayer, Slot
from peft.frame.mixed import only, run, with_own_deltas
from peft.lora import LoraLinear
from tests.peft.small import CONFIG, batch, config_of, small_base, take_steps, technique
from transformer import DecoderOnly, Transformer

NAMES = ["second", "default", "__base__", "second"]
ranks = pytest.mark.parametrize("rank", [4, 2], ids=["one product", "two ranks"])


def two_loras(rank: int = 4, **changes: object) -> PeftModel:
    """Adapters of two scales and places on one base in float64; of one rank, unless `rank` says otherwise."""
    return two_adapters(small_base(dropout=0.0).double(), rank=rank, **changes)


def two_adapters(base: Transformer | None, method: str = "lora", rank: int = 4, **changes: object) -> PeftModel:
    model = technique(method, base, r=4, init_lora_weights=False, **changes).eval()
    model.add_adapter("second", LoraConfig(rank, "all-linear", lora_alpha=9, init_lora_weights=False, **changes))
    return model


def twice() -> tuple[Tensor, Tensor]:
    source, target = batch()
    return torch.cat([source, source]), torch.cat([target, target])


@pytest.mark.parametrize("names", [NAMES, ["second"] * 4, ["__base__"] * 4, ["__base__", "default"] * 2])
@ranks
def test_every_row_gets_what_it_gets_alone(rank: int, names: list[str]) -> None:
    model = two_loras(rank)
    source, target = twice()

    mixed = model(source, target, adapter_names=names)
    with torch.no_grad():
        torch.testing.assert_close(model(source, target, adapter_names=names), mixed)

    for row, name in enumerate(names):
        alone = model(source[row : row + 1], target[row : row + 1], adapter_names=[name])
        torch.testing.assert_close(mixed[row : row + 1], alone)
        if name == "__base__":
            with model.disable_adapter():
                base = model(source[row : row + 1], target[row : row + 1])
        else:
            model.set_adapter(name)
            base = model(source[row : row + 1], target[row : row + 1])
        torch.testing.assert_close(alone, base)


def test_the_rows_of_lora_share_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    model = two_loras(trainable_token_indices=())
    expected = model(*twice(), adapter_names=NAMES)

    monkeypatch.delattr(LoraLinear, "delta")

    assert torch.equal(model(*twice(), adapter_names=NAMES), expected)


def test_dropout_falls_on_the_rows_of_a_mixed_batch_too() -> None:
    model = two_loras(lora_dropout=0.5)
    in_evaluation = model(*twice(), adapter_names=NAMES)
    model.train()

    first, second = (model(*twice(), adapter_names=NAMES) for _ in range(2))

    torch.testing.assert_close(first[2], in_evaluation[2])  # the base's row has no adapter that drops
    for row in (0, 1, 3):
        assert not torch.allclose(first[row], second[row])


def test_half_precision_keeps_its_type() -> None:
    model = two_adapters(small_base(dropout=0.0).bfloat16())
    check_half_precision(model)


def test_autocast_keeps_its_type() -> None:
    model = two_adapters(small_base(dropout=0.0))
    with torch.autocast("cpu", torch.bfloat16):
        check_half_precision(model)


@torch.no_grad()
def check_half_precision(model: PeftModel) -> None:
    mixed = model(*twice(), adapter_names=NAMES)
    model.set_adapter("default")
    alone = model(*twice())

    assert mixed.dtype == alone.dtype == torch.bfloat16
    torch.testing.assert_close(mixed[1], alone[1], atol=0.1, rtol=0.05)


def test_beams_stay_with_the_adapter_of_their_row() -> None:
    model = two_loras()
    with torch.no_grad():  # strong enough that every adapter says something else
        for adapter in model.adapters.values():
            for parameter in adapter.own_parameters().values():
                parameter.mul_(3.0)
    source = batch()[0][:1].repeat(4, 1)

    mixed = model.generate(source, 8, adapter_names=NAMES, num_beams=3)

    said = []
    for name in NAMES:
        alone = model.generate(source[:1], 8, adapter_names=[name], num_beams=3)[0]
        said.append(torch.nn.functional.pad(alone, (0, mixed.shape[1] - len(alone))))
    assert len({tuple(row.tolist()) for row in said}) == 3
    assert torch.equal(mixed, torch.stack(said))


def test_a_slot_may_see_rows_without_positions() -> None:
    model = two_loras(trainable_token_indices=())
    slot = next(module for module in model.modules() if isinstance(module, Slot))
    x = torch.randn(4, slot.base.in_features, dtype=torch.float64)

    torch.testing.assert_close(with_own_deltas(NAMES, slot, x), with_own_deltas(NAMES, slot, x[:, None])[:, 0])


def test_rows_on_four_bits_learn_with_dropout() -> None:
    model = two_adapters(None, "qlora", lora_dropout=0.2).train()

    model(*twice(), adapter_names=NAMES).square().sum().backward()

    assert all(parameter.grad.isfinite().all() for parameter in model.adapters["default"].own_parameters().values())


@ranks
def test_the_gradients_of_a_mixed_batch_are_those_of_its_groups_alone(rank: int) -> None:
    model = two_loras(rank)
    source, target = twice()
    own = {name: list(model.adapters[name].own_parameters().values()) for name in ("default", "second")}
    alone = {}
    for name, parameters in own.items():
        model.set_adapter(name)
        rows = [row for row, chosen in enumerate(NAMES) if chosen == name]
        alone[name] = torch.autograd.grad(model(source[rows], target[rows]).square().sum(), parameters)
    for name in own:
        model.adapters[name].set_trainable(True)

    loss = model(source, target, adapter_names=NAMES).square().sum()

    for name, parameters in own.items():
        for mixed, expected in zip(torch.autograd.grad(loss, parameters, retain_graph=True), alone[name], strict=True):
            torch.testing.assert_close(mixed, expected)


def test_what_is_added_to_outputs_mixes_with_what_is_not() -> None:
    model = technique("lora", init_lora_weights=False)
    model.add_adapter("second", config_of("bitfit"))
    model.set_adapter("second")
    take_steps(model, count=1)

    mixed = model(*twice(), adapter_names=NAMES)

    for name in ("second", "default"):
        model.set_adapter(name)
        rows = [row for row, chosen in enumerate(NAMES) if chosen == name]
        torch.testing.assert_close(mixed[rows], model(*twice())[rows])


def test_rows_of_tokens_stay_where_another_adapter_has_none() -> None:
    model = technique("lora", target_modules=("output",), init_lora_weights=False)
    take_steps(model, count=1)
    model.add_adapter("second", LoraConfig(8, ("output",), init_lora_weights=False))
    alone = model(*twice())

    mixed = model(*twice(), adapter_names=NAMES)

    torch.testing.assert_close(mixed[1], alone[1])


@pytest.mark.parametrize("names", [NAMES, ["default"] * 4])
def test_adapters_that_end_at_different_lengths_are_padded(names: list[str]) -> None:
    model = technique("ia3", small_base(pad_id=4))
    model.add_adapter("second", config_of("ia3"))
    ids, longest = torch.arange(5, 29).reshape(4, 6), {("second",): 5, ("default",): 2, (): 3}

    said = run(model, names, (ids,), lambda rows: rows[:, : longest[model.active]])

    width = max(longest[() if name == "__base__" else (name,)] for name in names)
    for row, name in enumerate(names):
        length = longest[() if name == "__base__" else (name,)]
        assert said[row].tolist() == ids[row, :length].tolist() + [4] * (width - length)


def test_a_mixed_batch_leaves_its_input_as_it_is() -> None:
    slot, x = Slot(nn.Identity(), CallContext()), torch.randn(2, 3, 4)
    slot.layers["default"] = Doubled(slot.base)
    before = x.clone()

    y = with_own_deltas(["default", "__base__"], slot, x)

    assert torch.equal(x, before)
    assert torch.equal(y, torch.stack([2 * x[0], x[1]]))


class Doubled(AdditiveLayer):
    """y = base(x) + x"""

    def delta(self, x: Tensor) -> Tensor:
        return x


def test_dropout_of_one_adapter_falls_on_its_rows_alone() -> None:
    model = technique("lora", small_base(dropout=0.0), r=4, lora_dropout=0.5, init_lora_weights=False)
    model.add_adapter("second", LoraConfig(4, init_lora_weights=False))
    model.train()

    first, second = (model(*twice(), adapter_names=NAMES) for _ in range(2))

    assert not torch.allclose(first[1], second[1])
    torch.testing.assert_close(first[[0, 2, 3]], second[[0, 2, 3]])


@pytest.mark.parametrize("method", ["lora", "ia3"], ids=["one pass", "adapter by adapter"])
def test_what_is_given_by_name_is_given_row_by_row_too(method: str) -> None:
    model = two_adapters(small_base(dropout=0.0).double())
    model.add_adapter("third", config_of(method))
    names = ["third", "default", "second", "__base__"]
    source, target = twice()
    offset = torch.tensor([[0], [1], [2], [3]])

    mixed = model(source, target=target, offset=offset, adapter_names=names)

    torch.testing.assert_close(mixed, model(source, target, offset, adapter_names=names))
    assert (mixed - model(source, target, adapter_names=names)).abs().max() > 1e-3
    for row, name in enumerate(names):
        own = slice(row, row + 1)
        alone = model(source[own], target[own], offset[own], adapter_names=[name])
        torch.testing.assert_close(mixed[own], alone)


@pytest.mark.parametrize("by_name", [True, False])
def test_what_is_no_row_is_for_all_rows(by_name: bool) -> None:
    model = technique("ia3", small_base(dropout=0.0).double())
    names = ["default", "__base__", "__base__", "default"]
    by_position, named = ((), {"offset": 2}) if by_name else ((2,), {})

    mixed = model(*twice(), *by_position, **named, adapter_names=names)

    torch.testing.assert_close(mixed[::3], model(*twice(), 2)[::3])
    assert only([1], 2, torch.tensor(3)) == 3
    assert only([1], 2, torch.tensor([4, 5])).tolist() == [5]


def test_which_tokens_are_real_is_said_of_each_row() -> None:
    torch.manual_seed(0)
    base = DecoderOnly(replace(CONFIG, num_encoder_layers=0, dropout=0.0)).double().eval()
    model = get_peft_model(base, IA3Config(init_ia3_weights=False)).eval()
    texts = torch.tensor([[5, 8, 11, 2], [7, 12, 9, 3], [4, 6, 8, 3]])
    real = torch.tensor([[False, True, True, True], [True] * 4, [False, False, True, True]])
    names = ["default", "__base__", "default"]

    mixed = model(texts, real=real, adapter_names=names)

    for row, name in enumerate(names):
        own = slice(row, row + 1)
        torch.testing.assert_close(mixed[own], model(texts[own], real=real[own], adapter_names=[name]))
