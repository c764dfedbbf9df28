"""The cross-entropy with label smoothing, one token at a time."""

import math

import numpy as np


def label_smoothed_cross_entropy(
    logits: np.ndarray, target: np.ndarray, smoothing: float = 0.0, pad_id: int = 0, never: tuple[int, ...] = ()
) -> float:
    """The mean over the tokens that are not `pad_id`. `logits` (batch, time, vocab), `target` (batch, time).

    The wanted distribution is 1 - ε on the target, and ε shared equally by all ids that may occur (target included).
    """
    vocab = [k for k in range(logits.shape[-1]) if k not in never]
    losses = []
    for row, labels in zip(logits, target):
        for scores, label in zip(row, labels):
            if label != pad_id:
                largest = max(scores[k] for k in vocab)
                log_total = largest + math.log(sum(math.exp(scores[k] - largest) for k in vocab))
                wanted = {k: smoothing / len(vocab) + (1.0 - smoothing) * (k == label) for k in vocab}
                losses.append(-sum(wanted[k] * (scores[k] - log_total) for k in vocab))
    return sum(losses) / len(losses)
