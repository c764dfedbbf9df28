"""Coming and leaving: a base carries the adapters of one PeftModel, and what is taken off does not come back."""

from pathlib import Path

import pytest
import torch
from torch import nn

from peft import PeftModel, get_peft_model
from tests.peft.small import METHODS, batch, config_of, prepared, small_base, take_steps, technique

every_method = pytest.mark.parametrize("method", METHODS)
CARRIES = "this model carries adapters already"


@every_method
def test_a_base_that_carries_adapters_is_wrapped_no_second_time(method: str, tmp_path: Path) -> None:
    base = prepared(method)
    model = get_peft_model(base, config_of(method))
    model.save_pretrained(tmp_path)

    for second in ("bitfit", "lora"):
        with pytest.raises(ValueError, match=CARRIES):
            get_peft_model(base, config_of(second))
    for around in (base, nn.Sequential(base)):
        with pytest.raises(ValueError, match=CARRIES):
            PeftModel.from_pretrained(around, tmp_path)

    get_peft_model(model.unload(), config_of(method))


def test_a_base_that_is_switched_off_still_carries_them() -> None:
    model = technique("full")
    with model.disable_adapter(), pytest.raises(ValueError, match=CARRIES):
        get_peft_model(model.base_model, config_of("bitfit"))


def test_a_merged_base_can_be_wrapped_again_and_switched_off_is_the_merged_one() -> None:
    first = technique("full")
    take_steps(first)
    said = first(*batch())

    second = get_peft_model(first.merge_and_unload(), config_of("bitfit")).eval()
    take_steps(second)

    with second.disable_adapter():
        torch.testing.assert_close(second(*batch()), said)


def test_an_adapter_that_does_not_fit_leaves_a_base_that_can_be_wrapped(tmp_path: Path) -> None:
    technique("bitfit").save_pretrained(tmp_path)
    base = small_base(d_ff=44)

    with pytest.raises(ValueError, match="does not fit this base"):
        PeftModel.from_pretrained(base, tmp_path, check_base=False)

    get_peft_model(base, config_of("bitfit"))


@every_method
def test_what_is_unloaded_while_it_is_switched_off_stays_the_base(method: str) -> None:
    model, expected = technique(method), prepared(method)(*batch())
    take_steps(model)

    with model.disable_adapter():
        base = model.unload()

    assert torch.equal(base(*batch()), expected)
    assert base is model.base_model
    assert model.active == ()


def test_a_merge_while_it_is_switched_off_writes_nothing() -> None:
    model, expected = technique("full"), small_base()(*batch())
    take_steps(model)

    with model.disable_adapter():
        merged = model.merge_and_unload()

    assert torch.equal(merged(*batch()), expected)


@every_method
def test_what_is_deleted_while_it_is_switched_off_does_not_come_back(method: str) -> None:
    model, expected = technique(method), prepared(method)(*batch())
    take_steps(model)

    with model.disable_adapter():
        model.delete_adapter("default")

    assert model.active == ()
    assert torch.equal(model(*batch()), expected)


def test_a_merged_base_stays_as_it_is() -> None:
    model = technique("full")
    take_steps(model)
    merged = model.merge_and_unload()
    said = merged(*batch())

    with model.disable_adapter():
        assert torch.equal(merged(*batch()), said)


def test_an_adapter_after_all_others_have_left_freezes_the_base_anew() -> None:
    model = technique("lora")
    base = model.unload()
    assert all(parameter.requires_grad for parameter in base.parameters())

    model.add_adapter("second", config_of("bitfit"))
    model.set_adapter("second")

    own = {id(parameter) for parameter in model.adapters["second"].own_parameters().values()}
    assert {id(parameter) for parameter in model.parameters() if parameter.requires_grad} == own
    with pytest.raises(ValueError, match=CARRIES):
        get_peft_model(base, config_of("bitfit"))


def test_where_there_is_no_adapter_none_is_saved(tmp_path: Path) -> None:
    model = technique("lora")
    model.unload()

    with pytest.raises(ValueError, match="there is no adapter to save"):
        model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="there is no adapter 'default'; there are none"):
        model.set_adapter("default")
