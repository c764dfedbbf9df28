"""LoftQ in plain NumPy: quantization and the best approximation of rank r take turns."""

import numpy as np

from tests.reference.quantization import dequantize, quantize


def loftq(weight, rank, iterations, codebook, block_size):
    """(Q, the product of A and B) after the last turn. Without double quantization."""
    product = np.zeros_like(weight)
    for _ in range(iterations):
        codes, scales = quantize(weight - product, codebook, block_size)
        rounded = dequantize(codes, scales, codebook, block_size).reshape(weight.shape)
        left, values, right = np.linalg.svd(weight - rounded, full_matrices=False)
        product = sum(values[i] * np.outer(left[:, i], right[i]) for i in range(rank))
    return rounded, product
