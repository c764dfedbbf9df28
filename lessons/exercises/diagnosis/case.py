"""A wrong result and all that is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Case:
    """Two arrays of one shape that differ, and what is known about them.

    `scales`    name → number: factors that the formula holds
    `open`      True where nothing is masked, broadcastable to the arrays
    `mistakes`  sentence → the result that this mistake has
    """

    actual: np.ndarray
    expected: np.ndarray
    names: list[str]
    rtol: float
    atol: float
    scales: Mapping[str, float] = field(default_factory=dict)
    open: np.ndarray | None = None
    mistakes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def equal(self, actual: np.ndarray, expected: np.ndarray) -> bool:
        return actual.shape == expected.shape and bool(np.allclose(actual, expected, self.rtol, self.atol))

    def right(self) -> np.ndarray:
        return np.isclose(self.actual, self.expected, self.rtol, self.atol)
