"""Is the reward model as right as it is sure? The figure of its margins on held-out pairs.

promised: P(chosen above rejected) = σ(r_chosen - r_rejected)        seen: the share of pairs with margin > 0
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lessons.drawing.style import BEFORE, INDIGO


def draw_calibration(worlds: Mapping[str, Any]) -> Figure:
    """How often the judge agrees, by how sure the reward model is: the line is what its sigmoid promises."""
    figure, panels = plt.subplots(1, len(worlds), figsize=(4.5 * len(worlds), 3.6), squeeze=False, layout="constrained")
    for axis, (world, arms) in zip(panels[0], worlds.items(), strict=True):
        margins = np.concatenate([row["margins"] for row in arms["reference"]])
        calibrated(axis, margins)
        axis.set(
            title=f"{world}: {(margins > 0).mean():.0%} of {len(margins):,} pairs", xlabel="|difference of rewards|"
        )
    panels[0][0].set_ylabel("share in which the judge agrees")
    return figure


def calibrated(axis: Axes, margins: Any, bins: int = 8) -> None:
    sure = np.abs(margins)
    edges = np.quantile(sure, np.linspace(0, 1, bins + 1))
    for low, high in pairwise(edges):
        inside = (sure >= low) & (sure <= high)
        if inside.any():
            axis.plot(sure[inside].mean(), (margins[inside] > 0).mean(), "o", color=INDIGO)
    line = np.linspace(0, sure.max(), 50)
    axis.plot(line, 1 / (1 + np.exp(-line)), color=BEFORE, linestyle="--", label="σ(difference)")
    axis.legend()
