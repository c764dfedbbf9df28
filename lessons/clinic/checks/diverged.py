"""Is the model better at its task than before? nats per token, and those of the same model before it was tuned"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

MOST = 0.5
"""Nats per token."""


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or run.optimizer is not None:
        return  # a prompt or a prefix begins below the base, and rightly so
    if run.active:
        before, without = run.loss_of_base, "without"
    elif run.base is not None and not run.adapted and run.folder is None:
        before, without = Run(run.base, run.given).loss_now, "before"
    else:
        return
    says = f"{run.loss_now:.2f} nats a token after training, {before:.2f} {without}"
    if run.active:
        says = f"{run.loss_now:.2f} nats a token with the adapter, {before:.2f} without"
    yield Measurement("diverged", run.loss_now - before, says, run.loss_now - before > MOST)
