"""A small kit for drawings of mechanisms: boxes, arrows, matrices with their numbers, vectors as coloured strips.

    sketch = Sketch(12, 5)                                   # units across and up: a matrix's cell is 1 x 1
    keys = sketch.matrix(0, 1, [[2.2, 0], [0, 5]], "keys")   # where it stands: its lower left corner
    softmax = sketch.box(6, 1, 3, 1, "softmax")
    sketch.arrow(keys.right, softmax.left, "q · k")
    show_drawing(sketch.figure, title="...", alt="...")

Positive numbers are blue, negative ones orange, both the stronger the larger they are; what is learnt has a red edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from lessons.drawing.style import AMERICAN, BRITISH, NOTE, use_style
from lessons.teaching.figures import WIDTH

INK, PAPER, EDGE, LEARNT = "#1c2733", "#f5f6f8", "#8b95a1", "#d0342c"
SIGNED = LinearSegmentedColormap.from_list("signed", [AMERICAN, "#ffffff", BRITISH])
Point = tuple[float, float]


@dataclass(frozen=True)
class Place:
    """Where something stands, and the middles of its sides: ends for arrows."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        return self.x + self.width / 2, self.y + self.height

    @property
    def bottom(self) -> Point:
        return self.x + self.width / 2, self.y


class Sketch:
    """A drawing `width` units across and `height` up, at the course's width on the page."""

    def __init__(self, width: float, height: float):
        use_style()
        self.unit = WIDTH / width
        self.figure = Figure(figsize=(WIDTH, height * self.unit + 0.5), layout="constrained")
        self.axis = self.figure.add_subplot()
        self.axis.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.axis.axis("off")

    def text(self, x: float, y: float, text: str, size: float = 10, **style: Any) -> None:
        """Centred at the point, unless `ha` or `va` say otherwise."""
        self.axis.text(x, y, text, **{"ha": "center", "va": "center", "fontsize": size, "color": INK, **style})

    def box(self, x: float, y: float, width: float, height: float, text: str, learnt: bool = False) -> Place:
        """What is done, or a part of the network."""
        shape = f"round,pad=0,rounding_size={0.12 / self.unit * 0.5}"
        self.axis.add_patch(
            FancyBboxPatch((x, y), width, height, boxstyle=shape, facecolor=PAPER, zorder=2, **edge_of(learnt))
        )
        self.text(x + width / 2, y + height / 2, text, zorder=4)
        return Place(x, y, width, height)

    def arrow(self, start: Point, end: Point, text: str = "", curve: float = 0.0) -> None:
        """From one point to another; `curve` makes it an arc. The text stands above the arrow's middle."""
        style = {"arrowstyle": "-|>", "color": EDGE, "linewidth": 1.2, "shrinkA": 3, "shrinkB": 3}
        self.axis.annotate("", end, start, arrowprops={**style, "connectionstyle": f"arc3,rad={curve}"}, zorder=1)
        if text:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            self.text(middle[0], middle[1] + 0.06 / self.unit, text, size=9, va="bottom", color=NOTE, zorder=5)

    def matrix(
        self,
        x: float,
        y: float,
        values: Sequence[Sequence[float]],
        title: str = "",
        rows: Sequence[str] = (),
        form: str = ".3g",
        learnt: bool = False,
        cell: Point = (1.0, 1.0),
        largest: float | None = None,
    ) -> Place:
        """Numbers in cells, the first row on top; `rows` are names at its left, `form=""` leaves the numbers out."""
        numbers = np.asarray(values, dtype=float)
        height, width = numbers.shape[0] * cell[1], numbers.shape[1] * cell[0]
        strongest = largest or max(abs(numbers).max(), 1e-9)
        for (row, column), number in np.ndenumerate(numbers):
            corner = x + column * cell[0], y + height - (row + 1) * cell[1]
            strength = 0.8 * number / strongest  # never so dark that ink cannot be read on it
            colour = SIGNED(0.5 + strength / 2)
            self.axis.add_patch(Rectangle(corner, *cell, facecolor=colour, edgecolor="white", linewidth=1.5, zorder=2))
            ink = "white" if abs(strength) > 0.55 else INK
            shown = format(number, form) if form else ""
            self.text(corner[0] + cell[0] / 2, corner[1] + cell[1] / 2, shown, color=ink, zorder=4)
        self.axis.add_patch(Rectangle((x, y), width, height, facecolor="none", zorder=3, **edge_of(learnt)))
        self.text(x + width / 2, y + height + 0.12, title, va="bottom")
        for row, name in enumerate(rows):
            self.text(x - 0.15, y + height - (row + 0.5) * cell[1], name, ha="right")
        return Place(x, y, width, height)

    def strip(self, x: float, y: float, values: Sequence[float], title: str = "", **options: Any) -> Place:
        """A vector as one row of small coloured cells without numbers."""
        return self.matrix(x, y, [values], title, **{"form": "", "cell": (0.35, 0.35), **options})


def edge_of(learnt: bool) -> dict[str, Any]:
    return {"edgecolor": LEARNT, "linewidth": 2.0} if learnt else {"edgecolor": EDGE, "linewidth": 1.0}
