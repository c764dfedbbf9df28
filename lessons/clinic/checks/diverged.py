"""Is the model better at its task than before? nats per token with the adapter and without"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

MOST = 0.5


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or not run.active or run.optimizer is not None:
        return  # a prompt or a prefix begins below the base, and rightly so
    rise = run.loss_now - run.loss_of_base
    says = f"{run.loss_now:.2f} nats a token with the adapter, {run.loss_of_base:.2f} without"
    yield Measurement("diverged", rise, says, rise > MOST)
