"""Prefixes in plain NumPy: attention by loops over rows, heads and queries, and the network behind a prefix."""

import numpy as np


def attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """query (batch, heads, query, d_head), mask (batch, heads, query, key); who sees nothing gets 0."""
    output = np.zeros(query.shape[:3] + value.shape[3:])
    for row, head, position in np.ndindex(*query.shape[:3]):
        seen = np.flatnonzero(mask[row, head, position])
        if len(seen):
            scores = key[row, head, seen] @ query[row, head, position] / np.sqrt(query.shape[-1])
            weights = np.exp(scores - scores.max())
            output[row, head, position] = weights / weights.sum() @ value[row, head, seen]
    return output


def split(prefix: np.ndarray, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """(p, 2 d) → P_K and P_V, each (heads, p, d_head): head h has the h-th part of the d features."""
    keys, values = np.split(prefix, 2, axis=1)
    return np.stack(np.split(keys, heads, axis=1)), np.stack(np.split(values, heads, axis=1))


def prefix_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray, prefix: np.ndarray
) -> np.ndarray:
    prefix_key, prefix_value = split(prefix, query.shape[1])
    keys = np.stack([np.concatenate([prefix_key, row], axis=1) for row in key])
    values = np.stack([np.concatenate([prefix_value, row], axis=1) for row in value])
    visible = np.concatenate([np.ones((*mask.shape[:3], prefix.shape[0]), dtype=bool), mask], axis=-1)
    return attention(query, keys, values, visible)


def network(
    embedding: np.ndarray, w: np.ndarray, b: np.ndarray, w_layer: np.ndarray, b_layer: np.ndarray
) -> np.ndarray:
    """One layer's [P_K, P_V]."""
    return np.tanh(embedding @ w.T + b) @ w_layer.T + b_layer


def direct_count(p: int, d: int, attentions: int) -> int:
    return 2 * p * d * attentions


def network_count(p: int, d: int, h: int, layers: int) -> int:
    """For one kind of attention in `layers` layers."""
    return p * d + (d * h + h) + (h * 2 * layers * d + 2 * layers * d)
