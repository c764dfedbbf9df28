"""LayerNorm, one vector at a time."""

import numpy as np


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """`x` (time, d_model). The variance is biased: divided by d_model, not d_model - 1. `eps` is inside the root."""
    normalized = np.empty_like(x)
    for t in range(len(x)):
        mean = sum(x[t]) / x.shape[1]
        variance = sum((x[t] - mean) ** 2) / x.shape[1]
        normalized[t] = (x[t] - mean) / np.sqrt(variance + eps)
    return weight * normalized + bias
