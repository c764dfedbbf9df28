"""Is the model better at its task than before? nats per token with the adapter and without"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

MOST = 0.5


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or not run.adapted or not run.active:
        return
    rise = run.loss_now - run.loss_of_base
    says = f"{run.loss_now:.2f} nats a token with the adapter, {run.loss_of_base:.2f} without"
    yield Measurement("diverged", rise, says, rise > MOST)
