"""Grader: the tensors of a file under the names that the model has."""

import pytest
import torch

from lessons.clinic.repairs.silent_adapter import renamed
from lessons.exercises.diagnosis import assert_refused
from tests.exercises.graders import given

WANTED = [
    f"{side}.layers.{layer}.{place}.{part}.weight"
    for side, layer, place in (("encoder", 0, "q_proj"), ("encoder", 1, "q_proj"), ("decoder", 1, "feed_forward.fc1"))
    for part in ("lora_A", "lora_B")
]
FRONTS = ("", "module.", "base_model.model.base_model.model.")


def saved(front: str, adapter: str = "british.") -> dict:
    """In another order than the model's."""
    names = {name: f"{front}{name.removesuffix('weight')}{adapter}weight" for name in reversed(WANTED)}
    return {other: given.normal(2, 3) for other in names.values()}


@pytest.mark.parametrize("front", FRONTS)
def test_every_name_of_the_model_gets_its_tensor(front: str):
    file = saved(front)

    found = renamed(file, WANTED)

    wrong = [name for name in found if name not in WANTED]
    assert not wrong, f"value: the keys are the model's names; {wrong[0]} is none of them"
    missing = [name for name in WANTED if name not in found]
    assert not missing, f"value: {len(missing)} of {len(WANTED)} names have no tensor: {missing[0]}"
    for name in WANTED:
        right = file[f"{front}{name.removesuffix('weight')}british.weight"]
        assert torch.equal(found[name], right), f"value: {name} has the tensor of another name"


def test_names_that_are_right_already_stay():
    file = saved("", "")

    assert sorted(renamed(file, WANTED)) == sorted(WANTED), "value: names that are right already stay as they are"


def test_nothing_is_skipped_in_silence():
    file = saved("module.")
    twice = {**file, **{f"ema.{name}": tensor for name, tensor in list(file.items())[:1]}}
    for what, given_file in {
        "a saved name that fits no name of the model": {**file, "module.head.weight": torch.zeros(2)},
        "two saved names that fit the same one": twice,
        "a name of the model that has no tensor": dict(list(file.items())[1:]),
    }.items():
        try:
            assert_refused(renamed, given_file, WANTED)
        except AssertionError as error:
            raise AssertionError(f"refused: {what} raises a ValueError; here it passes\n{error}") from error
