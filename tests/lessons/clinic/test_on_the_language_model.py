"""The cases that need a model which continues text, on SmolLM2; and how long a diagnosis of it takes."""

import time
from pathlib import Path

import pytest
import torch

from lessons.clinic import diagnose
from lessons.clinic.cases import CASES
from lessons.clinic.command import world_of
from lessons.clinic.speaking import Speaking, smollm
from lessons.clinic.table import row
from tests.smollm import needs_smollm

pytestmark = [pytest.mark.slow, needs_smollm]
MOST, CORES = 20, 2
"""Seconds for a model of 135 million numbers."""


@pytest.fixture(scope="module")
def world() -> Speaking:
    return smollm()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.causal])
def test_it_is_named_and_its_repair_is_silent(name: str, world: Speaking):
    made = row(CASES[name], world)

    assert made["named"]
    assert made["repaired"]


def test_what_needs_a_text_is_made_on_the_language_model_and_a_merge_is_not():
    assert isinstance(world_of(CASES["pad-is-eos"]), Speaking)
    assert not isinstance(world_of(CASES["merged-twice"]), Speaking)


def test_a_diagnosis_with_base_and_folder_takes_at_most_twenty_seconds_of_two_cores(world: Speaking, tmp_path: Path):
    world.fresh().eval().save_pretrained(tmp_path)
    model, base = world.base(), world.base()
    begin = time.process_time()

    found = diagnose(model, world.batches, base=base, folder=tmp_path, other=world.other)

    seconds = time.process_time() - begin
    print(f"{seconds:.1f} s of processor time with {torch.get_num_threads()} threads")
    assert seconds <= MOST * CORES
    assert [finding.name for finding in found] == ["merged-nothing"]
