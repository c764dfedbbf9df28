"""Names of techniques: what is said of one that is none."""

import pytest

from peft.recipes import unknown_technique


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lorra", "unknown technique 'lorra': did you mean lora? there are full, lora, pill"),
        ("zzz", "unknown technique 'zzz'; there are full, lora, pill"),
    ],
)
def test_the_nearest_name_is_meant_and_all_are_listed(name: str, said: str) -> None:
    assert str(unknown_technique(name, iter(["full", "lora", "pill"]))) == said
