"""Is the loss of several small batches that of the large one? The mean goes over tokens, not over batches."""

from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

MOST = 0.003


def check(run: Run) -> Iterator[Measurement]:
    if run.loss is None or len(run.batches) < 2:
        return
    run.model.eval()
    with torch.no_grad():
        accumulated = float(run.loss(run.model, run.given[: len(run.batches)]))
    ratio = accumulated / run.loss_now
    many = len(run.batches)
    says = f"the accumulated loss is {ratio:.3f} times the mean over all tokens"
    undivided = abs(ratio / many - 1) < abs(ratio - 1)
    forgets = abs(accumulated - last(run)) < 1e-3 * abs(accumulated) and abs(ratio - 1) > MOST
    yield Measurement("accumulation-undivided", ratio, says, undivided and not forgets, f"{many} batches")
    yield Measurement("accumulation-keeps-the-last", ratio, says, forgets, f"{many} batches")
    wrong = abs(ratio - 1) > MOST and not undivided and not forgets
    yield Measurement("accumulation-by-batches", ratio, says, wrong, f"{many} batches")


def last(run: Run) -> float:
    return run.losses(run.batches[-1:])
