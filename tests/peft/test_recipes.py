"""Recipes: what each does to its base, their families, and what is said of a name that is none."""

import pytest
import torch

from peft.recipes import RECIPES, Recipe, recipe, unknown_technique
from quant import CODEBOOKS, Linear4bit
from tests.peft.small import small_base


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lorra", "unknown technique 'lorra': did you mean lora? there are full, lora, pill"),
        ("zzz", "unknown technique 'zzz'; there are full, lora, pill"),
    ],
)
def test_the_nearest_name_is_meant_and_all_are_listed(name: str, said: str) -> None:
    assert str(unknown_technique(name, iter(["full", "lora", "pill"]))) == said


def test_every_technique_has_a_family():
    assert [name for name in RECIPES if recipe(name).family == Recipe.family] == []


@pytest.mark.parametrize(("name", "codebook"), [("qlora", "nf4"), ("lora_fp4", "fp4"), ("lora_int4", "int4")])
def test_a_technique_of_four_bits_stands_on_its_codebook(name: str, codebook: str) -> None:
    layers = [each for each in recipe(name).prepare(small_base()).modules() if isinstance(each, Linear4bit)]

    assert layers
    assert all(torch.equal(layer.codebook, CODEBOOKS[codebook]) for layer in layers)
