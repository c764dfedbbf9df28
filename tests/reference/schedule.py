"""Learning-rate schedules, as a table over all steps."""

import numpy as np


def noam(steps: int, d_model: int, warmup: int) -> np.ndarray:
    """Equation 3 of arXiv 1706.03762, for the steps 1, 2, ..."""
    step = np.arange(1, steps + 1, dtype=np.float64)
    return 1.0 / np.sqrt(d_model) * np.minimum(1.0 / np.sqrt(step), step / np.sqrt(warmup) ** 3)


def cosine(steps: int, total: int, warmup: int) -> np.ndarray:
    """Up in a line to 1 at `warmup`, down in half a cosine to 0 at `total`."""
    factors = []
    for step in range(1, steps + 1):
        if step <= warmup:
            factors.append(step / warmup)
        else:
            factors.append(np.cos(0.5 * np.pi * min(1.0, (step - warmup) / (total - warmup))) ** 2)
    return np.array(factors)
