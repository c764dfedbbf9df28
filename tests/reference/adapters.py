"""Bottleneck adapters in plain NumPy: what each style makes of a sub-layer's input, output and residual."""

from collections.abc import Mapping
from math import erf

import numpy as np

Weights = Mapping[str, np.ndarray]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1.0 + np.vectorize(erf)(x / np.sqrt(2.0)))


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    centered = x - x.mean(axis=-1, keepdims=True)
    return gain * centered / np.sqrt((centered**2).mean(axis=-1, keepdims=True) + eps) + bias


def bottleneck(x: np.ndarray, weights: Weights, activation: str) -> np.ndarray:
    """`weights` holds down.weight (m, d), down.bias (m,), up.weight (d, m), up.bias (d,)."""
    bend = {"gelu": gelu, "relu": relu}[activation]
    return bend(x @ weights["down.weight"].T + weights["down.bias"]) @ weights["up.weight"].T + weights["up.bias"]


def houlsby(output: np.ndarray, weights: Weights) -> np.ndarray:
    """The sub-layer's output with its adapter, before the residual is added."""
    return output + bottleneck(output, weights, "gelu")


def pfeiffer_post_norm(
    x: np.ndarray, output: np.ndarray, gain: np.ndarray, bias: np.ndarray, weights: Weights
) -> np.ndarray:
    """The whole of Add & Norm around the feed forward's `output`, whose input is `x`."""
    read = layer_norm(x + output, gain, bias)
    return layer_norm(x + output + bottleneck(read, weights, "relu"), gain, bias)


def pfeiffer_pre_norm(x: np.ndarray, output: np.ndarray, weights: Weights) -> np.ndarray:
    return x + output + bottleneck(output, weights, "relu")


def parallel(x: np.ndarray, output: np.ndarray, weights: Weights, scaling: float) -> np.ndarray:
    """The feed forward's output with the adapter's, which reads the same input."""
    return output + scaling * bottleneck(x, weights, "relu")


def parameter_count(style: str, d: int, m: int, encoder_layers: int, decoder_layers: int, norms: int) -> int:
    """`norms`: how many LayerNorms the model has, those after a whole stack included."""
    one = 2 * d * m + m + d
    if style == "houlsby":
        return (2 * encoder_layers + 3 * decoder_layers) * one + 2 * d * norms
    return (encoder_layers + decoder_layers) * one
