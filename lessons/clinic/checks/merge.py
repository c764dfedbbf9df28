"""Is the merged model the tuned one? k in W_model = W_base + k ΔW, and what is left over"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from lessons.clinic.updates import scale_of, updates, weights

NEAR, SHARE = 0.05, 0.2
NOTHING, TWICE, ACTIVE = 0.1, 1.5, 0.5


def check(run: Run) -> Iterator[Measurement]:
    if run.base is None or run.folder is None:
        return
    found, before, now = updates(run.base, run.folder), weights(run.base), weights(run.model)
    paths = [path for path in found if path in now and now[path].shape == before[path].shape]
    if not paths or (run.theirs and run.adapted and not run.ours):
        return
    wanted, moved = {path: found[path] for path in paths}, {path: now[path] - before[path] for path in paths}
    k, each = times(moved, wanted), {path: times({path: moved[path]}, {path: wanted[path]}) for path in paths}
    if run.adapted:
        says = f"the base's weights hold {k:.2f} times the adapter's update, and the adapter is on as well"
        yield Measurement("branch-still-active", k, says, abs(k) > ACTIVE, paths[0])
        return
    four = any(hasattr(module, "dequantized") for module in run.modules.values())
    yield from counted(k, each, scale_of(run.folder), four)
    whole = all(near_whole(value) for value in each.values())
    rest = {path: moved[path] - (each[path] if whole else k) * wanted[path] for path in paths}
    left = (inner(rest, rest) / max(inner(wanted, wanted), 1e-30)) ** 0.5
    worst = max(paths, key=lambda path: float(rest[path].norm()))
    says = f"beside the update stands a rest {left:.2f} times as long"
    name = "quantized-again" if four else "merged-into-other-weights"
    yield Measurement(name, left, says, left > SHARE and abs(k) >= NOTHING, worst)


def counted(k: float, each: Mapping[str, float], scale: float, four: bool) -> Iterator[Measurement]:
    """How often the update is in the weights: over all layers k; where every layer has it a whole number of times, layer by layer."""
    most, least = max(each, key=each.__getitem__), min(each, key=each.__getitem__)
    parted = all(near_whole(value) for value in each.values()) and round(each[least]) != round(each[most])
    says = f"the base's weights hold {k:.2f} times the adapter's update"
    if parted:
        says = f"some of the base's weights hold {each[least]:.2f} times the adapter's update, others {each[most]:.2f} times"
    unscaled = abs(scale - 1) > NEAR and abs(k * scale - 1) < NEAR
    nothing = abs(k) < NOTHING or (parted and round(each[least]) == 0)
    twice = (k > TWICE and near_whole(k) and not unscaled) or (parted and round(each[most]) > 1)
    part = not (four or nothing or twice) and abs(k - 1) > NEAR
    number = k if not parted else each[most] if twice else each[least]
    yield Measurement("merged-nothing", number, says, nothing, least if parted else "")
    yield Measurement("merged-twice", number, says, twice, most if parted else "")
    yield Measurement("merged-without-scale", number, says, part)


def near_whole(k: float) -> bool:
    return abs(k - round(k)) < NEAR * max(1, abs(k))


def times(moved: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """The k that leaves the smallest rest."""
    return inner(moved, wanted) / max(inner(wanted, wanted), 1e-30)


def inner(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    return sum(float(torch.sum(a[path].double() * b[path].double())) for path in a)
