"""The edit distance by its recursive definition, over the whole table of prefixes."""

from collections.abc import Sequence

import numpy as np


def edit_distance(a: Sequence[object], b: Sequence[object]) -> int:
    """The table's last cell; D[i, j] is the distance of the first i tokens of `a` from the first j of `b`."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            if i == 0 or j == 0:
                table[i, j] = i + j
            else:
                replaced = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
                table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, replaced)
    return int(table[-1, -1])
