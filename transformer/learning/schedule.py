"""Learning-rate schedules: a number for every step, 1-based.

    noam(step)     = d_model^{-1/2} · min(step^{-1/2}, step · warmup^{-3/2})
    cosine(step)   = step / warmup, then (1 + cos(π · progress)) / 2          progress = (step - warmup) / (total - warmup)
    constant(step) = step / warmup, then 1

Cosine and constant are factors of the peak rate. The cosine is 0 at the last step, which therefore changes no weight.

Papers    "Attention Is All You Need" (arXiv 1706.03762), section 5.3, equation 3; the cosine: "SGDR" (arXiv 1608.03983)
"""

import math


def noam_schedule(step: int, d_model: int, warmup: int = 4000) -> float:
    """The paper's learning rate: up linearly for `warmup` steps, then down with the square root of the step.

    Steps are counted from 1. Raises ValueError for a step or a warm-up below 1.
    """
    check_step(step, warmup)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def cosine_schedule(step: int, total: int, warmup: int) -> float:
    """A factor in [0, 1] of the peak rate: linear warm-up to 1 at `warmup`, then half a cosine down to 0 at `total`.

    Behind both `total` and `warmup` it is 0; so a run that is all warm-up (total = warmup) rises to the end. Raises
    ValueError for a step or a warm-up below 1.
    """
    check_step(step, warmup)
    if step <= warmup:
        return step / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def constant_schedule(step: int, warmup: int) -> float:
    """A factor in (0, 1] of the peak rate: linear warm-up, then 1."""
    check_step(step, warmup)
    return min(1.0, step / warmup)


def check_step(step: int, warmup: int) -> None:
    if step < 1 or warmup < 1:
        raise ValueError(f"steps count from 1 and warmup is at least 1, not step {step} and warmup {warmup}")
