"""One vector for a sentence: the mean over its real tokens, with loops."""

import numpy as np


def mean_pool(states: np.ndarray, real: np.ndarray) -> np.ndarray:
    """states (batch, time, d_model), real (batch, time) of booleans."""
    return np.stack(
        [
            sum(state for state, is_real in zip(row, tokens, strict=True) if is_real) / sum(tokens)
            for row, tokens in zip(states, real, strict=True)
        ]
    )
