"""Is the merged model the tuned one? k in W_model = W_base + k ΔW, and what is left over"""

from collections.abc import Iterator

import torch
from torch import Tensor

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from lessons.clinic.updates import updates, weights

NEAR, SHARE = 0.05, 0.2


def check(run: Run) -> Iterator[Measurement]:
    if run.base is None or run.folder is None:
        return
    found, before, now = updates(run.base, run.folder), weights(run.base), weights(run.model)
    paths = [path for path in found if path in now and now[path].shape == before[path].shape]
    if not paths or (run.theirs and run.adapted):
        return
    wanted = {path: found[path] for path in paths}
    moved = {path: now[path] - before[path] for path in paths}
    k = inner(moved, wanted) / max(inner(wanted, wanted), 1e-30)
    rest = {path: moved[path] - k * wanted[path] for path in paths}
    left = (inner(rest, rest) / max(inner(wanted, wanted), 1e-30)) ** 0.5
    worst = max(paths, key=lambda path: float(rest[path].norm()))
    says = f"the base's weights hold {k:.2f} times the adapter's update"
    if run.adapted:
        yield Measurement("branch-still-active", k, f"{says}, and the adapter is on as well", abs(k) > 0.5, paths[0])
        return
    yield Measurement("merged-nothing", k, says, abs(k) < 0.1)
    yield Measurement("merged-twice", k, says, abs(k - round(k)) < NEAR * k and k > 1.5)
    four = any(hasattr(module, "dequantized") for module in run.modules.values())
    part = not four and abs(k - 1) > NEAR and abs(k) >= 0.1 and not (k > 1.5 and abs(k - round(k)) < NEAR * k)
    yield Measurement("merged-without-scale", k, says, part)
    says = f"beside the update stands a rest {left:.2f} times as long"
    yield Measurement(
        "quantized-again" if four else "merged-into-other-weights", left, says, left > SHARE and abs(k) >= 0.1, worst
    )


def inner(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return sum(float(torch.sum(a[path].double() * b[path].double())) for path in a)
