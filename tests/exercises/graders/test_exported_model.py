"""Grader: how often an update was merged, and the matrices that hold it once."""

import pytest
import torch

from lessons.clinic.repairs.exported_model import merged_once, times_merged
from lessons.exercises.diagnosis import assert_matches, assert_refused
from tests.exercises.graders import given

TIMES = (0.0, 0.5, 2.0, 3.0)


def case(times: float) -> tuple[dict, dict, dict]:
    """Base, export, update: two matrices of unequal sizes that the adapter changes, and one that it does not."""
    before = {"fc1": given.normal(7, 4), "q_proj": given.normal(3, 5), "fc2": given.normal(4, 7)}
    update = {"fc1": 0.3 * given.normal(7, 4), "q_proj": given.normal(3, 5)}
    now = {path: matrix + times * update.get(path, torch.zeros_like(matrix)) for path, matrix in before.items()}
    return before, now, update


@pytest.mark.parametrize("times", TIMES)
def test_it_is_measured_how_often_the_update_was_merged(times: float):
    before, now, update = case(times)

    found = times_merged(before, now, update)

    length = sum(float((delta * delta).sum()) for delta in update.values())
    whole = sum(float((now[path] * delta).sum()) for path, delta in update.items())
    known = {
        "merged 1 times is said, whatever the matrices hold": torch.tensor(1.0),
        "the base is in it: what was added is now - before": torch.tensor(whole / length),
        "the square root of ⟨ΔW, ΔW⟩ stands below; it is divided by ⟨ΔW, ΔW⟩": torch.tensor(times * length**0.5),
    }
    assert isinstance(found, float), f"kind: k is a Python float, not {type(found).__name__}"
    assert_matches(torch.tensor(found), torch.tensor(times), name="k", mistakes=known, rtol=1e-4, atol=1e-6)


def test_what_does_not_lie_along_the_update_does_not_count():
    before, now, update = case(2.0)
    delta = update["fc1"]
    beside = given.normal(7, 4)
    now["fc1"] = now["fc1"] + beside - (beside * delta).sum() / (delta * delta).sum() * delta

    found = times_merged(before, now, update)

    assert abs(found - 2) < 1e-4, f"value: k is that of least squares over all matrices together, 2 here; {found} came"


def test_an_update_of_zeros_has_no_k():
    before, now, update = case(2.0)

    assert_refused(times_merged, before, now, {path: torch.zeros_like(delta) for path, delta in update.items()})


@pytest.mark.parametrize("times", TIMES)
def test_the_repaired_matrices_hold_the_update_once(times: float):
    before, now, update = case(times)

    repaired = merged_once(now, update, times)

    missing = [path for path in now if path not in repaired]
    assert not missing, f"value: matrices are missing: {missing}; those that the adapter leaves alone go along"
    for path, matrix in before.items():
        delta = update.get(path, torch.zeros_like(matrix))
        known = {
            "the base is left: the update was taken out and not put back once": matrix,
            "the update was added once more to what is there already": now[path] + delta,
        }
        assert_matches(repaired[path], matrix + delta, "d_out d_in", name=f"the matrix of {path}", mistakes=known)


def test_the_exported_matrices_stay_as_they_are():
    _, now, update = case(2.0)
    kept = {path: matrix.clone() for path, matrix in now.items()}

    merged_once(now, update, 2.0)

    changed = [path for path in now if not torch.equal(now[path], kept[path])]
    assert not changed, f"mutated: {changed[0]} of the export was written into; a new matrix is wanted"
