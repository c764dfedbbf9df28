"""SSF in plain NumPy: an operation's output, scaled and shifted."""

import numpy as np


def scale_and_shift(y: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    out = np.empty_like(y)
    for feature in range(y.shape[-1]):
        out[..., feature] = scale[feature] * y[..., feature] + shift[feature]
    return out


def parameter_count(d: int, d_ff: int, encoder_layers: int, decoder_layers: int, norms_after_stacks: int) -> int:
    return encoder_layers * (14 * d + 2 * d_ff) + decoder_layers * (24 * d + 2 * d_ff) + norms_after_stacks * 2 * d
