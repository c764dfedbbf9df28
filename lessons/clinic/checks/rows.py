"""Are there tokens whose rows nobody trained? nats for each token that is asked for, where its row is frozen"""

import math
from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.reading import token_losses
from lessons.clinic.run import Run
from peft.frame.core import Core

ABOVE = 3.0
"""Nats above those of a blind guess, ln(vocabulary): so sure of the contrary is only a model that never saw the token."""
FEWEST = 3


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or trains_rows(run):
        return
    losses = torch.cat(
        [token_losses(x, r.labels)[r.counted] for x, r in zip(run.with_adapter, run.batches, strict=True)]
    )
    asked = torch.cat([reading.labels[reading.counted] for reading in run.batches])
    blind = math.log(run.with_adapter[0].shape[-1])
    means = {t: float(losses[asked == t].mean()) for t in set(asked.tolist()) if int((asked == t).sum()) >= FEWEST}
    lost = [token for token, loss in means.items() if loss > blind + ABOVE]
    if not means:
        return
    token = max(means, key=means.__getitem__)
    says = f"token {token} costs {means[token]:.1f} nats on average, a blind guess {blind:.1f}; its row is frozen"
    yield Measurement("new-rows-untrained", means[token], says, bool(lost) and run.loss_now < blind, f"token {token}")


def trains_rows(run: Run) -> bool:
    """Whether the matrix of tokens is trained, whole or some rows of it."""
    if isinstance(run.model, Core):
        names = list(run.own)
        return any("embedding" in name or "token" in name or ".output." in name for name in names)
    return not run.adapted
