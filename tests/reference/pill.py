"""PILL in plain NumPy, token by token."""

from collections.abc import Mapping, Sequence

import numpy as np

Array = np.ndarray
Weights = Mapping[str, Array]


def glu(x: Array, weights: Weights) -> Array:
    """One vector (d,). `weights` holds gate.weight (r, d), down.weight (r, d), up.weight (d, r)."""
    g = weights["gate.weight"] @ x
    return weights["up.weight"] @ (g / (1.0 + np.exp(-g)) * (weights["down.weight"] @ x))


def routed(x: Array, types: Array, experts: Sequence[Weights]) -> Array:
    """What the feed forward reads: each token (batch, time, d) plus what the expert of its type makes of it."""
    out = x.copy()
    for row, position in np.ndindex(types.shape):
        out[row, position] += glu(x[row, position], experts[types[row, position]])
    return out


def adapted(x: Array, weights: Weights) -> Array:
    return routed(x, np.zeros(x.shape[:2], dtype=int), [weights])


def gated(values: Array, x: Array, types: Array, gate: Array) -> Array:
    """Values (batch, time, d), of new types times tanh(W_g x), one factor for each head. `gate` is (heads, d)."""
    out = values.copy()
    heads = len(gate)
    d_head = values.shape[-1] // heads
    for row, position, head in np.ndindex(*types.shape, heads):
        if types[row, position] > 0:
            part = slice(head * d_head, (head + 1) * d_head)
            out[row, position, part] *= np.tanh(gate[head] @ x[row, position])
    return out


def attention(query: Array, key: Array, value: Array, real: Array, heads: int) -> Array:
    """Of projected (batch, time, d); `real` (batch, keys) is False where a key is padding. Heads side by side again."""
    out = np.zeros_like(query)
    d_head = query.shape[-1] // heads
    for row, head in np.ndindex(len(query), heads):
        part = slice(head * d_head, (head + 1) * d_head)
        keys, values = key[row][real[row]][:, part], value[row][real[row]][:, part]
        scores = np.exp(query[row][:, part] @ keys.T / np.sqrt(d_head))
        out[row, :, part] = scores / scores.sum(axis=1, keepdims=True) @ values
    return out


def parameter_count(d: int, heads: int, rank: int, types: int, encoder_layers: int, decoder_layers: int) -> int:
    one = 3 * rank * d
    return (encoder_layers + decoder_layers) * ((types + 1) * one + d * heads)
