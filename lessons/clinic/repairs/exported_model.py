"""Patient: the exported model is not the one that was measured."""

from collections.abc import Mapping

import torch
from torch import Tensor

Matrices = Mapping[str, Tensor]


def times_merged(before: Matrices, now: Matrices, update: Matrices) -> float:
    """The k of now ≈ before + k · update, by least squares over the matrices of `update` together.

    `before`   the base's matrices by path
    `now`      those of the exported model
    `update`   ΔW of every matrix that the adapter changes; the others were never touched

    What is measured: k as a Python float. An update of nothing but zeros has no k: Raises ValueError.
    """
    length = sum(float(torch.sum(delta * delta)) for delta in update.values())
    if length == 0:
        raise ValueError("the update is 0 everywhere: how often it was merged cannot be seen")
    return sum(float(torch.sum((now[path] - before[path]) * delta)) for path, delta in update.items()) / length


def merged_once(now: Matrices, update: Matrices, times: float) -> dict[str, Tensor]:
    """All matrices of the exported model as they should be; `now` holds the update `times` times.

    What is measured after the repair: they hold it once, and give the losses of the tuned model. The matrices in `now`
    stay as they are.
    """
    return {path: matrix + (1 - times) * update[path] if path in update else matrix for path, matrix in now.items()}
