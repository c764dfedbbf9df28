"""What lesson 31 measures: k of a merge, the update a number of times, the table of symptoms, the kept numbers."""

import pytest
import torch

from lessons.clinic.cases import CASES
from lessons.clinic.world import pronunciation
from lessons.experiments import clinic


@pytest.mark.parametrize("k", [0.0, 0.5, 1.0, 2.0])
def test_k_says_how_often_the_update_is_in_the_weights(k: float):
    assert clinic.times_in(clinic.W + k * clinic.UPDATE) == pytest.approx(k)


def test_merged_once_is_the_tuned_model_and_twice_is_not():
    world = pronunciation()
    batch = world.batches[0]
    with torch.no_grad():
        tuned, once, twice = (
            model(batch["source"], batch["inputs"])
            for model in (world.tuned(), clinic.merged_times(world, 1.0), clinic.merged_times(world, 2.0))
        )

    torch.testing.assert_close(once, tuned, atol=1e-3, rtol=1e-3)
    assert (twice - tuned).abs().max() > 1


def test_the_symptoms_lead_to_every_case_and_every_report():
    table = clinic.symptoms()

    for case in CASES.values():
        (line,) = [line for line in table if line[1] == f"`{case.name}`"]
        assert case.symptom == line[0]
        assert all(f"({link})" in line[2] for link in case.links)


def test_the_losses_are_those_of_the_batches_that_were_given():
    world = pronunciation()
    wrong, right = (run["batches"] for run in CASES["labels-not-shifted"].make(world))

    (_, sick), (_, repaired) = clinic.learnt(world, wrong, 2), clinic.learnt(world, right, 2)

    assert sick[0] > 2 * repaired[0]
    assert len(sick) == len(repaired) == 2


@pytest.mark.parametrize("limits", [clinic.FACTORS, clinic.SHARES, clinic.NATS])
def test_the_kept_numbers_are_apart_by_the_limits(limits: dict[str, float]):
    for name, (sick, repaired, limit) in clinic.kept_numbers(limits).items():
        assert repaired is None or (sick > limit) != (repaired > limit), name
