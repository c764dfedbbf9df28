"""What language models have beyond the paper, one number at a time: rotary positions, RMSNorm, shared heads, the gate."""

import math

import numpy as np

from tests.reference.attention import attention


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """`x` (time, features)."""
    return np.stack([weight * row / math.sqrt(sum(number**2 for number in row) / len(row) + eps) for row in x])


def slowed(theta: float, factor: float, low: float, high: float, original_length: float) -> float:
    """Llama 3.1's frequency: by the wavelength, in three cases, as its authors write it."""
    wavelength = 2 * math.pi / theta
    if wavelength < original_length / high:
        return theta
    if wavelength > original_length / low:
        return theta / factor
    smooth = (original_length / wavelength - low) / (high - low)
    return (1 - smooth) * theta / factor + smooth * theta


def rotary(x: np.ndarray, places: np.ndarray, base: float, **slow: float) -> np.ndarray:
    """`x` (time, d_head): number i and number i + d_head / 2 are one complex number, multiplied by e^{i place θ}."""
    half, turned = x.shape[1] // 2, np.empty_like(x)
    for t, place in enumerate(places):
        for pair in range(half):
            theta = 1 / base ** (2 * pair / x.shape[1])
            theta = slowed(theta, **slow) if slow else theta
            number = complex(x[t, pair], x[t, pair + half]) * complex(math.cos(place * theta), math.sin(place * theta))
            turned[t, pair], turned[t, pair + half] = number.real, number.imag
    return turned


def grouped_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """`query` (heads, m, d), `key` and `value` (fewer heads, n, d): the first heads share the first key, and so on."""
    share = len(query) // len(key)
    return np.stack([attention(query[h], key[h // share], value[h // share], mask)[0] for h in range(len(query))])


def gated_feed_forward(x: np.ndarray, fc1: np.ndarray, fc3: np.ndarray, fc2: np.ndarray) -> np.ndarray:
    """SwiGLU of `x` (time, d_model), without biases."""
    hidden = x @ fc1.T
    return (hidden / (1 + np.exp(-hidden)) * (x @ fc3.T)) @ fc2.T
