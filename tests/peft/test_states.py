"""What is trainable and what is in training, before and after adapters are added, switched, merged, taken off and loaded."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from peft import AdapterConfig, LoraConfig, PeftModel, drop_encoders, get_peft_model
from tests.peft.small import METHODS, batch, config_of, prepared, small_base, take_steps, technique

every_method = pytest.mark.parametrize("method", METHODS)
every_mode = pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])


def trainable(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters(remove_duplicate=False) if parameter.requires_grad}


def owns(model: PeftModel, name: str) -> bool:
    """Whether exactly this adapter's own parameters take gradients."""
    wanted = {id(parameter) for parameter in model.adapters[name].own_parameters().values()}
    return {id(parameter) for parameter in model.parameters() if parameter.requires_grad} == wanted


def in_one_mode(model: nn.Module, training: bool) -> bool:
    return all(module.training == training for module in model.modules())


@every_mode
@every_method
def test_an_added_adapter_waits_in_the_mode_of_the_model(method: str, training: bool) -> None:
    model = technique(method).train(training)

    model.add_adapter("second", config_of(method))

    assert model.active == ("default",)
    assert owns(model, "default")
    assert in_one_mode(model, training)


@every_method
def test_a_switch_hands_the_gradients_over(method: str) -> None:
    model = technique(method)
    model.add_adapter("second", config_of(method))

    model.set_adapter("second")
    assert owns(model, "second")
    with model.disable_adapter():
        pass
    assert owns(model, "second")
    model.set_adapter("default")
    assert owns(model, "default")


@every_mode
@every_method
def test_taking_it_off_gives_back_what_was_trainable_and_the_mode(method: str, training: bool) -> None:
    base = prepared(method)
    base.decoder.layers[0].feed_forward.requires_grad_(False)
    base.train(training)
    before = trainable(base)
    model = get_peft_model(base, config_of(method)).train(training)

    bare = model.unload()

    assert trainable(bare) == before
    assert in_one_mode(bare, training)


@every_mode
@every_method
def test_a_merge_gives_back_what_was_trainable_and_the_mode(method: str, training: bool) -> None:
    base = prepared(method)
    base.decoder.layers[0].feed_forward.requires_grad_(False)
    before, names = trainable(base), {name for name, _ in base.named_parameters(remove_duplicate=False)}
    model = get_peft_model(base, config_of(method))
    if not all(layer.merges for layer in model.adapters["default"].layers.values()):
        pytest.skip("it does not merge")
    take_steps(model, count=1)
    model.train(training)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a quantized base says that it merges with its rounding
        merged = model.merge_and_unload()

    new = {name for name, _ in merged.named_parameters(remove_duplicate=False)} - names
    frozen = {name for name in new if not name.endswith("output.bias")}
    assert before <= trainable(merged)
    assert trainable(merged) - before <= new
    assert not frozen & trainable(merged)
    assert in_one_mode(merged, training)


@every_method
def test_a_loaded_adapter_is_frozen_and_in_evaluation_unless_it_is_to_be_trained(method: str, tmp_path: Path) -> None:
    model = technique(method)
    model.save_pretrained(tmp_path)

    loaded = PeftModel.from_pretrained(prepared(method).train(), tmp_path)
    assert trainable(loaded) == set()
    assert in_one_mode(loaded, training=False)

    again = PeftModel.from_pretrained(prepared(method).train(), tmp_path, is_trainable=True)
    assert owns(again, "default")
    assert again.base_model.training

    model.load_adapter(tmp_path, "second")
    assert model.active == ("default",)
    assert owns(model, "default")


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("targets", [("q_proj", "fc1"), ("q_proj", "output")])
def test_two_adapters_are_merged_as_their_sum(targets: tuple[str, ...], tied: bool) -> None:
    model = technique("lora", small_base(tie_embeddings=tied).double(), target_modules=targets)
    take_steps(model)
    torch.manual_seed(4)
    model.add_adapter("second", LoraConfig(r=3, target_modules=targets[1:], trainable_token_indices=(28, 29)))
    model.set_adapter("second")
    take_steps(model)
    alone = model(*batch())
    model.set_adapter(["default", "second"])
    both = model(*batch())
    assert not torch.allclose(alone, both, atol=1e-4)

    merged = model.merge_and_unload()

    torch.testing.assert_close(merged(*batch()), both)
    assert all(parameter.requires_grad for parameter in merged.parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_trained_rows_are_merged_where_the_technique_sits_too(tied: bool) -> None:
    model = technique("lora", small_base(tie_embeddings=tied).double(), target_modules=("output", "fc1"))
    take_steps(model)
    said = model(*batch())

    torch.testing.assert_close(model.merge_and_unload()(*batch()), said)


def test_a_deleted_adapter_leaves_nothing_that_trains() -> None:
    model = technique("lora")
    model.add_adapter("second", config_of("lora"))

    model.delete_adapter("default")

    assert model.active == ()
    assert trainable(model) == set()
    assert list(model.adapters) == ["second"]


@every_method
def test_an_adapter_shares_no_memory_with_its_base(method: str) -> None:
    base = prepared(method)
    memory = {tensor.untyped_storage().data_ptr() for tensor in (*base.parameters(), *base.buffers())}

    adapter = get_peft_model(base, config_of(method)).adapters["default"]

    own = [*adapter.own_parameters().values(), *adapter.saved().values()]
    assert not memory & {tensor.untyped_storage().data_ptr() for tensor in own}


@pytest.mark.parametrize("method", ["lora", "dora", "ia3", "ssf"])
def test_what_a_layer_merges_into_shares_no_memory_with_its_base_and_is_frozen(method: str) -> None:
    for layer in technique(method).adapters["default"].layers.values():
        base = {tensor.data_ptr() for tensor in layer.parameters()}
        merged = list(layer.merged().parameters())
        assert not base & {tensor.data_ptr() for tensor in merged}
        assert not any(tensor.requires_grad for tensor in merged)


def test_the_first_and_the_last_token_can_be_trained() -> None:
    model = technique("lora", trainable_token_indices=(0, 30))
    (rows,) = model.adapters["default"].token_rows().values()
    assert torch.equal(rows, small_base().source_embedding.weight[[0, 30]])


@pytest.mark.parametrize("method", ["lora", "adapter_houlsby", "bitfit", "p_tuning", "prefix_tuning"])
def test_what_is_saved_is_numbers_without_a_gradient(method: str) -> None:
    model = technique(method)
    drop_encoders(model)
    assert not any(tensor.requires_grad for tensor in model.adapters["default"].saved().values())


def test_a_refused_merge_of_several_leaves_each_as_it_was() -> None:
    model = technique("lora", trainable_token_indices=(), init_lora_weights=False)
    model.add_adapter("second", LoraConfig(r=2, target_modules=("fc1",), init_lora_weights=False))
    model.add_adapter("parallel", AdapterConfig(style="parallel"))
    model.set_adapter("second")
    said = model(*batch())
    model.set_adapter(["default", "second", "parallel"])
    with pytest.raises(ValueError, match="cannot be merged"):
        model.merge_and_unload()

    model.set_adapter("second")

    torch.testing.assert_close(model.merge_and_unload()(*batch()), said)


class Small(nn.Module):
    """A base that has some of what a model of the library has."""

    def __init__(self, name: str, tied: bool | None) -> None:
        super().__init__()
        self.add_module(name, nn.Linear(6, 6))
        if tied is not None:
            self.config = SimpleNamespace(tie_embeddings=tied)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return next(self.children())(x)


@pytest.mark.parametrize(("name", "tied"), [("output", None), ("output", False), ("inner", None), ("inner", True)])
def test_a_base_without_embeddings_is_merged(name: str, tied: bool | None) -> None:
    model = get_peft_model(Small(name, tied), LoraConfig(r=2, target_modules=(name,), init_lora_weights=False)).eval()
    x = torch.randn(3, 6)
    said = model(x)

    torch.testing.assert_close(model.merge_and_unload()(x), said)


@every_mode
def test_an_added_adapter_takes_new_places_in_the_mode_of_the_model(training: bool) -> None:
    model = technique("lora", target_modules=("q_proj",)).train(training)

    model.add_adapter("second", LoraConfig(r=2, target_modules=("fc1",)))

    assert in_one_mode(model, training)


def test_an_adapter_cannot_be_active_twice() -> None:
    model = technique("lora")
    model.add_adapter("second", config_of("lora"))

    with pytest.raises(ValueError, match="default, second, default: each adapter can be active once only"):
        model.set_adapter(["default", "second", "default"])

    assert model.active == ("default",)
