"""A lesson's figure: of one width, with a title that states the finding, and words for who does not see it.

figure, (left, right) = new_figure(columns=2)
...
show_figure(figure, title="Divided by √d, the largest weight stays at {scaled:.2f}", alt="Two curves ...", scaled=...)
"""

import textwrap
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lessons.drawing.style import DOTS_PER_INCH, use_style
from lessons.teaching.lettering import lettering
from lessons.teaching.redrawn import redrawn
from lessons.teaching.said import KEY, record
from lessons.teaching.showing import in_notebook
from lessons.teaching.templates import filled

WIDTH = 6.8
"""Inches: with 10 points it can be read on a telephone (380 px) and fits a printed page."""
LETTERS_A_LINE = 76


def new_figure(rows: int = 1, columns: int = 1, height: float = 3.0, **options: Any) -> tuple[Figure, Any]:
    """`plt.subplots` in the course's style and width; `height` in inches is that of all rows together."""
    use_style()
    return plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained", **options)


def show_figure(figure: Figure, title: str, alt: str, **values: Any) -> None:
    """Shows the figure with its finding above it. `{names}` in both texts take values.

    Raises ValueError for an empty text, a figure that is too wide to be read on a small screen, or a legend over data.
    """
    said, described = filled(title, values), filled(alt, values)
    if not said.strip() or not described.strip():
        raise ValueError("a figure has a title that says what was found, and words for who does not see it (alt)")
    if figure.get_figwidth() > WIDTH + 0.01:
        raise ValueError(f"the figure is {figure.get_figwidth()} inches wide; at most {WIDTH}: see new_figure")
    lines = textwrap.fill(said, LETTERS_A_LINE)
    figure.suptitle(lines, x=0.01, ha="left", fontsize=11, fontweight="bold")
    png = drawn(figure)
    refuse_legends_over_data(figure)
    labels, overlay = lettering(figure), redrawn(figure) if in_notebook() else None
    refuse_legends_over_data(figure)  # the Chinese one stands where its words let it
    plt.close(figure)
    about = record("show_figure", [title, alt], values, labels, overlay)
    show_image(png, described, 80 * WIDTH, f"[figure: {said}]", {KEY: about})


def show_drawing(figure: Figure, title: str, alt: str, **values: Any) -> None:
    """As `show_figure`, for a drawing of the mechanism (`Sketch.figure`)."""
    show_figure(figure, title, alt, **values)


def show_image(png: bytes, alt: str, width: float, plain: str, metadata: Mapping[str, Any] | None = None) -> None:
    """A picture with its alternative text, which notebooks, their HTML and the site keep; elsewhere a line of text.

    The notebook keeps the line too, as what stands for the picture where none can be shown.
    """
    if not in_notebook():
        print(plain)
        return
    from IPython.display import display

    shown = {"image/png": b64encode(png).decode("ascii"), "text/plain": plain or alt}
    about = {"image/png": {"width": round(width), "alt": alt}, **(metadata or {})}
    display(shown, metadata=about, raw=True)


def drawn(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return file.getvalue()


def refuse_legends_over_data(figure: Figure) -> None:
    """Raises ValueError where a curve, a point or a bar lies under its panel's legend."""
    for axis in figure.axes:
        legend = axis.get_legend()
        if legend is None:
            continue
        box = legend.get_window_extent()
        under = sum(bool(box.contains(x, y)) for x, y in points_of(axis))
        bars = sum(box.overlaps(patch.get_window_extent()) for patch in axis.patches)
        if under or bars:
            raise ValueError(
                f"the legend of the panel {axis.get_title()!r} lies over its data: make room with ylim, "
                "write the names beside the curves, or take lessons.drawing.labels.legend_below"
            )


def points_of(axis: Axes) -> np.ndarray:
    """Where the curves and dots of a panel run, in pixels; between two points of a curve there are more."""
    found = [np.empty((0, 2))]
    for line in axis.lines:
        points = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float))
        steps = np.linspace(0, 1, 20)[:, None, None]
        is_curve = line.get_linestyle() not in ("None", "none", "", " ")
        found.append((points[:-1] + steps * np.diff(points, axis=0)).reshape(-1, 2) if is_curve else points)
    for dots in axis.collections:
        found.append(axis.transData.transform(np.asarray(dots.get_offsets())))
    return np.concatenate(found)
