"""The exported model is not the one that was measured: the base's matrices, the exported ones, and the adapter's update."""

from torch import Tensor, tensor

from lessons.clinic.checks.merge import inner
from lessons.clinic.patients.patient import Patient, Run, refused
from lessons.clinic.patients.ward import Matrices, Ward
from lessons.clinic.repairs import exported_model as repair
from lessons.clinic.updates import updates_of, weights


def admit(ward: Ward) -> Run:
    """Merged a number of times that is drawn: not at all, in part, or several times."""
    model = ward.tuned()
    before = {path: matrix.clone() for path, matrix in weights(model).items()}
    update, times = updates_of(model, before), float(ward.draw(0.0, 0.25, 0.5, 1.5, 2.0, 3.0))
    now = {path: matrix + times * update[path] if path in update else matrix for path, matrix in before.items()}
    return {"before": before, "now": now, "update": update}


def as_found(before: Matrices, now: Matrices, update: Matrices) -> tuple[float, Matrices]:
    return 1.0, now  # "merge_and_unload() was called, so it is merged once"


def treat(before: Matrices, now: Matrices, update: Matrices) -> tuple[float, Matrices]:
    times = repair.times_merged(before, now, update)
    return times, repair.merged_once(now, update, times)


def examine(ward: Ward, run: Run, result: tuple[float, Matrices]) -> dict[str, Tensor]:
    (times, matrices), before, update = result, run["before"], run["update"]
    moved = {path: matrices[path] - before[path] for path in update}
    zeros = {path: 0 * delta for path, delta in update.items()}
    still = [matrices[path] - before[path] for path in before if path not in update]
    return {
        "how often it is said to be merged": tensor(times),
        "how often it is merged": tensor(inner(moved, update) / inner(update, update)),
        "the largest change of a matrix that the adapter leaves alone": max(
            [change.abs().max() for change in still], default=tensor(0.0)
        ),
        "nats per token, exported": ward.nats_with(matrices),
        "nats per token, tuned": ward.nats(ward.tuned()),
        "nats per token, of the file as it lies there": ward.nats_with(run["now"]),
        "the number of matrices": tensor(len(matrices)),
        "an update of zeros is refused": refused(repair.times_merged, before, run["now"], zeros),
    }


PATIENT = Patient(
    "exported_model", "merged-twice", "In training it was measured, and good. The exported model is another one.",
    admit, as_found, treat, examine,
    hidden=("how often it is merged",),
)  # fmt: skip
