"""Do rows stand in their order? A file of another layout: the right numbers in other rows."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from lessons.clinic.updates import weights

MOST = 0.5


def check(run: Run) -> Iterator[Measurement]:
    if run.base is None or run.folder is not None:
        return
    before, now, share, where = weights(run.base), weights(run.model), 0.0, ""
    kind = next(run.model.parameters()).dtype  # an export in bf16 has the base's rows rounded
    for path in before:
        if path in now and now[path].shape == before[path].shape:
            found = elsewhere(before[path].to(kind).float(), now[path])
            if found > share:
                share, where = found, path
    same_set = share > MOST
    yield Measurement(
        "rows-permuted", share, f"{share:.0%} of a matrix's rows stand elsewhere in the base's", same_set, where
    )


def elsewhere(before: Tensor, now: Tensor) -> float:
    """Share of the rows whose sum is there, and in another row."""
    a, b = before.sum(dim=1), now.sum(dim=1)
    there = torch.isclose(a.sort().values, b.sort().values, atol=1e-6)
    return float((there & ~torch.isclose(a, b, atol=1e-6)).float().mean())
