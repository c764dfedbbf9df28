"""`padding-changes-loss` on transformers' own GPT-2: what the case's repair gives is each row alone, and what ours gives."""

import json

import pytest
import torch
from safetensors.torch import load_file

from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def folder(second_python):
    return second_python("padding", {})


@pytest.fixture(scope="module")
def found(folder):
    return load_file(folder / "found.safetensors")


def test_padding_in_front_is_named_with_and_without_the_mask_and_its_repair_is_silent(folder):
    names = json.loads((folder / "names.json").read_text(encoding="utf-8"))

    assert "padding-changes-loss" in names["front"]
    assert "padding-changes-loss" in names["unmasked"]
    assert names["repaired"] == []


def test_the_repaired_logits_are_those_of_each_row_alone_and_of_our_model(found, folder, row):
    ours = load_pretrained(folder / "gpt2")
    with torch.no_grad():
        logits = ours(found["ids"], found["mask"].bool())

    differences = []
    for index, mask in enumerate(found["mask"].bool()):
        alone = found[f"alone {index}"][0]
        torch.testing.assert_close(found["repaired"][index][mask], alone, atol=1e-5, rtol=1e-5)
        differences.append(float((logits[index][mask] - alone).abs().max()))
        if not mask.all():
            assert (found["front"][index][mask] - alone).abs().max() > 0.1
    row("GPT-2 padded in front, repaired", "HF's checkpoint → ours", max(differences))
    assert max(differences) < 1e-5
