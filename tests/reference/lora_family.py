"""LoRA's relatives and IA3 in plain NumPy: what each makes of a layer's input, and DoRA's gradients."""

import math

import numpy as np

Array = np.ndarray


def linear(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T + bias


def dora(x: Array, weight: Array, bias: Array, down: Array, up: Array, magnitude: Array, scaling: float) -> Array:
    """Row by row: the direction of W + s B A, as long as the magnitude says."""
    moved = weight + scaling * up @ down
    rows = [m * row / math.sqrt(sum(row * row)) for m, row in zip(magnitude, moved)]
    return x @ np.array(rows).T + bias


def dora_gradients(
    x: Array, weight: Array, down: Array, up: Array, magnitude: Array, scaling: float, upstream: Array
) -> dict[str, Array]:
    """Of sum(upstream ⊙ y), with the lengths of the rows held fixed. All arrays have two axes, x is (rows, d_in)."""
    moved = weight + scaling * up @ down
    lengths = np.sqrt((moved**2).sum(axis=1))
    by_row = upstream.T @ x  # what reaches the whole matrix
    reaching = (magnitude / lengths)[:, None] * by_row
    return {
        "lora_A.weight": scaling * up.T @ reaching,
        "lora_B.weight": scaling * reaching @ down.T,
        "lora_magnitude_vector": (by_row * moved).sum(axis=1) / lengths,
    }


def dora_dropped(
    x: Array, dropped: Array, weight: Array, bias: Array, down: Array, up: Array, magnitude: Array, scaling: float
) -> Array:
    """In training: the base reads x, everything that DoRA adds reads what dropout has left of it."""
    change = dora(dropped, weight, 0 * bias, down, up, magnitude, scaling) - dropped @ weight.T
    return linear(x, weight, bias) + change


def pissa(x: Array, weight: Array, bias: Array, down: Array, up: Array, rank: int, scaling: float) -> Array:
    """As the paper has it: the principal part is taken out of the matrix and A and B stand in its place."""
    left, values, right = np.linalg.svd(weight, full_matrices=False)
    principal = sum(values[i] * np.outer(left[:, i], right[i]) for i in range(rank))
    return x @ (weight - principal + scaling * up @ down).T + bias


def vera(x: Array, weight: Array, bias: Array, down: Array, up: Array, lambda_b: Array, lambda_d: Array) -> Array:
    """`down` and `up` are the whole shared matrices; the layer takes its part of them."""
    d_out, d_in = weight.shape
    change = np.diag(lambda_b) @ up[:d_out] @ np.diag(lambda_d) @ down[:, :d_in]
    return x @ (weight + change).T + bias


def ia3(x: Array, weight: Array, bias: Array, factor: Array, feedforward: bool) -> Array:
    if feedforward:
        return linear(x * factor.ravel(), weight, bias)
    return linear(x, weight, bias) * factor.ravel()
