"""Names beside points, so that none covers another, and a legend that covers nothing."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from lessons.drawing.style import BEFORE

Box = tuple[float, float, float, float]
"""Left, right, bottom, top, in points of the page."""


def legend_below(figure: Any, axis: Axes, columns: int = 4) -> None:
    """The legend of one panel below all of them; the figure needs layout="constrained"."""
    figure.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=columns)


def write_names(axis: Axes, points: Sequence[tuple[float, float, str]], height: float = 9.0) -> None:
    """Each name at the free place nearest to its point (x, y, name), with a thin line to it where that is not beside it."""
    axis.figure.canvas.draw()  # where a point lies is known only once the figure is laid out
    scale = 72.0 / axis.figure.dpi
    at = [tuple(float(value) * scale for value in axis.transData.transform((x, y))) for x, y, _ in points]
    taken: list[Box] = [(left - 4, left + 4, bottom - 4, bottom + 4) for left, bottom in at]  # the markers
    shifts = [sign * level * height for level in range(40) for sign in (1, -1)]
    for (x, y, name), (left, bottom) in sorted(zip(points, at, strict=True), key=lambda pair: pair[0][1]):
        width = 5.0 * len(name)
        boxes = {
            (side, shift): (left + side, left + side + width, bottom + shift - height / 2, bottom + shift + height / 2)
            for shift in shifts
            for side in (7.0, -7.0 - width)
        }
        side, shift = next(where for where, box in boxes.items() if not any(overlap(box, other) for other in taken))
        taken.append(boxes[side, shift])
        right = side < 0
        axis.annotate(
            name,
            (x, y),
            (-7.0 if right else 7.0, shift),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=8,
            arrowprops=thin_line() if shift else None,
        )


def thin_line() -> dict[str, object]:
    return {"arrowstyle": "-", "color": BEFORE, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
