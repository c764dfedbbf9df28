"""Prompts and prompt encoders in plain NumPy."""

from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def with_prompt(prompt: np.ndarray, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The prompt (p, d) in front of every row of x (batch, source, d), and the mask (batch, 1, 1, p + source)."""
    vectors = np.stack([np.concatenate([prompt, row]) for row in x])
    visible = np.ones((len(x), 1, 1, len(prompt)), dtype=bool)
    return vectors, np.concatenate([visible, mask], axis=-1)


def linear(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def mlp_encoder(weights: Weights) -> np.ndarray:
    """Three layers with ReLU between them, row by row."""
    hidden = np.maximum(linear(weights["embedding"], weights, "head.0"), 0.0)
    return linear(np.maximum(linear(hidden, weights, "head.2"), 0.0), weights, "head.4")


def lstm_encoder(weights: Weights) -> np.ndarray:
    """Two LSTM layers in both directions, then two linear layers with ReLU between them."""
    x = weights["embedding"]
    for layer in range(2):
        forward = lstm_direction(x, weights, f"l{layer}")
        backward = lstm_direction(x[::-1], weights, f"l{layer}_reverse")[::-1]
        x = np.concatenate([forward, backward], axis=1)
    return linear(np.maximum(linear(x, weights, "head.0"), 0.0), weights, "head.2")


def lstm_direction(x: np.ndarray, weights: Weights, suffix: str) -> np.ndarray:
    """One layer read in one direction; torch stacks its four gates in the order input, forget, cell, output."""
    hidden_size = weights[f"lstm.weight_hh_{suffix}"].shape[1]
    hidden, cell, outputs = np.zeros(hidden_size), np.zeros(hidden_size), []
    for step in x:
        gates = weights[f"lstm.weight_ih_{suffix}"] @ step + weights[f"lstm.bias_ih_{suffix}"]
        gates = gates + weights[f"lstm.weight_hh_{suffix}"] @ hidden + weights[f"lstm.bias_hh_{suffix}"]
        enter, forget, new, leave = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(leave) * np.tanh(cell)
        outputs.append(hidden)
    return np.stack(outputs)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def mlp_count(p: int, d: int, h: int) -> int:
    return p * d + (d * h + h) + (h * h + h) + (h * d + d)


def lstm_count(p: int, d: int, h: int) -> int:
    first, second = 2 * (4 * h * (d + h) + 8 * h), 2 * (4 * h * 3 * h + 8 * h)
    return p * d + first + second + (4 * h * h + 2 * h) + (2 * h * d + d)
