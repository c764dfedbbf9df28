"""The patients of lesson 31's exercises: sick as found, well after the repair, on random runs and on the shipped base."""

from functools import cache

import pytest
import torch

from lessons.clinic import diagnose
from lessons.clinic.cases import CASES
from lessons.clinic.command import main
from lessons.clinic.patients import PATIENTS
from lessons.clinic.patients.look import on_the_base, shown
from lessons.clinic.patients.ward import small
from lessons.exercises.catalogue import exercises_of


def test_every_patient_is_an_exercise_with_an_illness_of_the_clinic_and_each_of_another_class():
    assert [exercise.name for exercise in exercises_of("clinic")] == list(PATIENTS)
    assert len({CASES[patient.case].group for patient in PATIENTS.values()}) == len(PATIENTS) == 6


SEEDS = [0, 1, 5, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))]


@cache
def graded(name: str, seed: int) -> dict[str, torch.Tensor]:
    return PATIENTS[name].graded(seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", PATIENTS)
def test_the_repair_changes_what_is_measured(name: str, seed: int):
    patient = PATIENTS[name]

    sick, well = patient.measured(small(seed), treated=False), graded(name, seed)

    assert list(sick) == list(well)
    assert any(not torch.equal(sick[what], well[what]) for what in well if shown(what))
    assert all(int(well[what]) == 1 for what in well if not shown(what))


@pytest.mark.parametrize("name", PATIENTS)
def test_what_is_drawn_differs_and_the_same_seed_gives_the_same(name: str):
    found = [graded(name, 1), PATIENTS[name].graded(1), graded(name, 2)]

    assert all(torch.equal(value, found[1][what]) for what, value in found[0].items())
    assert any(
        value.shape != found[2][what].shape or not torch.equal(value, found[2][what])
        for what, value in found[0].items()
    )


def test_what_would_tell_the_illness_is_not_shown_and_is_measured():
    for patient in PATIENTS.values():
        measured = patient.measured(small(0), treated=False)
        assert set(patient.hidden) <= set(measured)
        assert set(measured) - set(patient.hidden)


def test_both_ways_of_standing_still_are_found_by_diagnose():
    patient, names = PATIENTS["standing_loss"], set()
    for seed in range(6):
        ward = small(seed)
        names |= {finding.name for finding in diagnose(**patient.settings(ward, patient.admit(ward)))}

    assert {"adapter-frozen", "base-not-frozen", "optimizer-before-adapter"} <= names


def test_questions_that_follow_each_other_show_every_form():
    for count in (2, 3, 4):
        assert {small(seed).draw(*range(count)) for seed in range(7, 7 + count)} == {*range(count)}


@pytest.mark.parametrize("name", ["exported_model", pytest.param("silent_adapter", marks=pytest.mark.slow)])
def test_on_the_shipped_base_the_tuned_losses_come_back(name: str):
    exported = "nats per token, exported" if name == "exported_model" else "nats per token with the adapter"

    (line,) = [line for line in on_the_base(name) if line.startswith(f"{exported}: ")]

    sick, well = map(float, line.removeprefix(f"{exported}: ").split(", and after your repair "))
    assert sick > 10 * well


def test_the_command_shows_the_symptom_the_sick_lines_and_no_diagnosis(capsys: pytest.CaptureFixture[str]):
    assert main(["--patient", "never_stops"]) == 0

    told = capsys.readouterr().out
    assert PATIENTS["never_stops"].symptom in told
    assert "labels[labels == pad_token_id] = -100" in told
    assert "share of the ends" not in told
    assert PATIENTS["never_stops"].case not in told
    with pytest.raises(ValueError, match="never_stops"):
        main(["--patient", "flu"])
