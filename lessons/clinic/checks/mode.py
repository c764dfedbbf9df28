"""Is the mode right? In training dropout is on, in use it is off."""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    on = [path for path, training in run.dropouts if training]
    if not run.dropouts:
        return
    says = f"{len(on)} of {len(run.dropouts)} dropouts are on"
    if run.optimizer is None:
        yield Measurement("dropout-left-on", len(on), f"{says}, in use", bool(on), on[0] if on else "")
    else:
        yield Measurement("eval-mode-in-training", len(on), f"{says}, in training", not on)
