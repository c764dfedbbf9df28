"""Attention on one sequence, one query at a time."""

from collections.abc import Mapping

import numpy as np

Parameters = Mapping[str, np.ndarray]


def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`query` (m, d), `key` (n, d), `value` (n, d_value), `mask` (m, n) → output (m, d_value), weights (m, n)."""
    weights = np.zeros((len(query), len(key)))
    for i in range(len(query)):
        allowed = [j for j in range(len(key)) if mask is None or mask[i, j]]
        if allowed:
            scores = np.array([query[i] @ key[j] / np.sqrt(query.shape[1]) for j in allowed])
            likelihoods = np.exp(scores - scores.max())
            weights[i, allowed] = likelihoods / likelihoods.sum()
    return weights @ value, weights


def linear(x: np.ndarray, parameters: Parameters, name: str) -> np.ndarray:
    return x @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]


def multi_head_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    parameters: Parameters,
    num_heads: int,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Head h works on the h-th block of features."""
    queries, keys, values = (
        linear(x, parameters, name) for x, name in ((query, "q_proj"), (key, "k_proj"), (value, "v_proj"))
    )
    d_head = queries.shape[1] // num_heads
    heads = []
    for head in range(num_heads):
        block = slice(head * d_head, (head + 1) * d_head)
        heads.append(attention(queries[:, block], keys[:, block], values[:, block], mask)[0])
    return linear(np.concatenate(heads, axis=1), parameters, "out_proj")
