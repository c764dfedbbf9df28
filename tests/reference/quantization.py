"""Four bits in plain Python loops over float64: nearest level per block, packing, double quantization, affine INT4."""

import math

import numpy as np


def quantize(weight, codebook, block_size):
    """Codes 0..15 (one per weight) and one scale per block. A tie goes to the lower value."""
    line = [float(w) for w in np.asarray(weight).reshape(-1)]
    levels = [float(level) for level in codebook]
    codes, scales = [], []
    for start in range(0, len(line), block_size):
        block = line[start : start + block_size]
        scale = max(abs(w) for w in block)
        scales.append(scale)
        for w in block:
            x = w / scale if scale > 0 else 0.0
            codes.append(min(range(16), key=lambda code: (abs(x - levels[code]), levels[code], code)))
    return codes, scales


def dequantize(codes, scales, codebook, block_size):
    return np.array([float(codebook[code]) * scales[i // block_size] for i, code in enumerate(codes)])


def pack(codes):
    filled = [*codes, 0] if len(codes) % 2 else codes
    return bytes(16 * filled[i] + filled[i + 1] for i in range(0, len(filled), 2))


def dynamic_map():
    """The 256 levels of the signed 8-bit map."""
    levels = [0.0, 1.0]
    for i in range(7):
        parts = 2**i
        for part in range(parts):
            left, right = 0.1 + 0.9 * part / parts, 0.1 + 0.9 * (part + 1) / parts
            magnitude = 10.0 ** (i - 6) * (left + right) / 2
            levels += [magnitude, -magnitude]
    return sorted(levels)


def double_quantize(scales):
    """The scales as decoding sees them after 8 bits, in groups of 256 around their mean."""
    levels = dynamic_map()
    mean = math.fsum(scales) / len(scales)
    restored = []
    for start in range(0, len(scales), 256):
        group = [scale - mean for scale in scales[start : start + 256]]
        absmax = max(abs(value) for value in group)
        for value in group:
            x = value / absmax if absmax > 0 else 0.0
            restored.append(max(0.0, min(levels, key=lambda level: (abs(x - level), level)) * absmax + mean))
    return restored


def affine(weight, block_size):
    """What 16 equally spaced levels between each block's minimum and maximum give back."""
    line = [float(w) for w in np.asarray(weight).reshape(-1)]
    restored = []
    for start in range(0, len(line), block_size):
        block = line[start : start + block_size]
        low, step = min(block), (max(block) - min(block)) / 15
        restored += [low + step * (math.ceil((w - low) / step - 0.5) if step > 0 else 0) for w in block]
    return np.array(restored)
