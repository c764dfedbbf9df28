"""Sinusoidal positions, one number at a time."""

import math

import numpy as np


def sinusoidal_positions(length: int, d_model: int) -> np.ndarray:
    encoding = np.empty((length, d_model))
    for t in range(length):
        for feature in range(d_model):
            pair = feature // 2
            angle = t / 10000 ** (2 * pair / d_model)
            encoding[t, feature] = math.sin(angle) if feature % 2 == 0 else math.cos(angle)
    return encoding
