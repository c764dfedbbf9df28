"""How far has it forgotten? nats per token on what the base knew, after and before"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

MOST = 0.3
"""Nats per token that a model may lose on what it knew."""


def check(run: Run) -> Iterator[Measurement]:
    if not run.other:
        return
    after = run.losses(run.other)
    if run.base is not None and not run.adapted:
        before = Run(run.base, run.given).losses(run.other)
    elif run.adapted:
        before = run.losses(run.other, adapter=False)
    else:
        return
    says = f"{after:.2f} nats a token on what it knew, {before:.2f} before"
    yield Measurement("forgetting", after - before, says, after - before > MOST)
