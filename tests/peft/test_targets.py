"""How target modules are named, and what is said of a name that fits none."""

import pytest

from peft import LoraConfig, get_peft_model
from tests.peft.small import small_base


@pytest.mark.parametrize("target", ["fc[89]", ["fc1", "fc[89]"]])
def test_a_target_that_fits_no_layer_is_named_whole_with_all_that_there_are(target: str | list[str]) -> None:
    there = "fc1, fc2, k_proj, out_proj, output, q_proj, v_proj"
    with pytest.raises(ValueError, match=rf"target module 'fc\[89\]' matches no linear layer; there are {there}$"):
        get_peft_model(small_base(), LoraConfig(target_modules=target))


def test_a_set_of_names_is_kept_in_the_order_of_the_alphabet() -> None:
    names = ("fc1", "fc2", "k_proj", "out_proj", "output", "q_proj", "v_proj")

    assert LoraConfig(target_modules=set(names)).target_modules == names
