"""The famous figure of the Transformer with this lesson's boxes lit, and where a technique sits in it.

Paper     "Attention Is All You Need" (arXiv 1706.03762), figure 1; drawn anew
"""

from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lessons.drawing.style import DOTS_PER_INCH, use_style
from lessons.teaching.figures import show_image
from lessons.teaching.layout import BOXES, DECODER, ENCODER, FRAMES, POSITIONS_Y, TEXTS, WIDTH, Box, lit_places
from lessons.teaching.lettering import lettering
from lessons.teaching.marks import draw_marks
from lessons.teaching.redrawn import redrawn
from lessons.teaching.said import KEY, Say, Values, in_english, record
from lessons.teaching.showing import in_notebook

DESCRIBED = "The Transformer's figure: encoder on the left, decoder on the right. Lit: {names}."
NOTHING = "nothing"
INK, GREY, PALE, LINE = "#1c2733", "#a3abb5", "#f5f6f8", "#8b95a1"


def lit_diagram(*names: str) -> None:
    """Shows the figure with these boxes lit, and gives all figures after it the style of the course.

    Elsewhere than in a notebook it says what would be lit, and makes matplotlib need no display from there on. Raises
    ValueError for an unknown name, with all that there are.
    """
    lit = lit_places(names)
    use_style()
    if not in_notebook():
        matplotlib.use("Agg")
        print(f"[the Transformer's figure, lit: {', '.join(names) or 'nothing'}]")
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("retina")  # twice figure.dpi, and as wide as once
    figure, shown = draw_diagram(lit), {"names": names or (NOTHING,)}
    png, labels = as_png(figure), lettering(figure)
    about = record("lit_diagram", [DESCRIBED], shown, labels, redrawn(figure))
    show_image(png, described(DESCRIBED, shown), 460, "", {KEY: about})


def described(template: str, values: Values, say: Say = in_english) -> str:
    """The figure for who does not see it: which of its boxes are lit."""
    return template.format(names=", ".join(say(name.replace("_", " ")) for name in values["names"]))


def as_png(figure: Figure) -> bytes:
    """With a palette: a drawing of few colours, in a third of the bytes."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    PIL.Image.open(drawn).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return small.getvalue()


def draw_diagram(lit: set[str]) -> Figure:
    """The figure, without pyplot: it belongs to no window and to no list of open figures."""
    figure = Figure(figsize=(5.8, 6.9))
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.75, 10.75), ylim=(-0.25, 13.5))
    axis.axis("off")
    for name, (x, low, high) in FRAMES.items():
        draw_frame(axis, x, low, high, name in lit)
    draw_paths(axis)
    for box in BOXES:
        draw_box(axis, box, box.name in lit)
    for name, (text, x, y) in TEXTS.items():
        axis.text(x, y, text, ha="center", va="center", **text_style(name in lit))
    draw_positions(axis, "positions" in lit)
    draw_marks(axis, lit)
    return figure


def text_style(lit: bool) -> dict[str, Any]:
    return {"fontsize": 9.2, "color": INK if lit else GREY, "fontweight": "bold" if lit else "normal", "zorder": 4}


def draw_box(axis: Axes, box: Box, lit: bool) -> None:
    style = {"facecolor": box.colour, "edgecolor": INK, "linewidth": 1.8} if lit else grey_box()
    axis.add_patch(rounded(box.x - WIDTH / 2, box.y, WIDTH, box.height, 0.1, zorder=3, **style))
    axis.text(box.x, box.middle, box.text, ha="center", va="center", linespacing=1.05, **text_style(lit))


def grey_box() -> dict[str, Any]:
    return {"facecolor": PALE, "edgecolor": "#c3c9d0", "linewidth": 0.9}


def rounded(x: float, y: float, width: float, height: float, radius: float, **style: Any) -> FancyBboxPatch:
    return FancyBboxPatch((x, y), width, height, boxstyle=f"round,pad=0,rounding_size={radius}", **style)


def draw_frame(axis: Axes, x: float, low: float, high: float, lit: bool) -> None:
    """The N layers of one side."""
    style = {"facecolor": "#e8f1fb", "edgecolor": "#2f6fb3", "linewidth": 2.0}
    style = style if lit else {"facecolor": "none", "edgecolor": "#d4d9df", "linewidth": 1.0}
    axis.add_patch(rounded(x - 2.0, low, 4.0, high - low, 0.25, zorder=0, **style))
    outside = x - 2.15 if x == ENCODER else x + 2.15
    axis.text(outside, low + 2.2, "N×", ha="right" if x == ENCODER else "left", va="center", **text_style(lit))


def draw_positions(axis: Axes, lit: bool) -> None:
    """A wave and a plus on either side."""
    colour = INK if lit else GREY
    for x, side in ((ENCODER, -1), (DECODER, 1)):
        wave = x + side * 1.35
        at = np.linspace(-0.32, 0.32, 60)
        axis.plot([x + side * 0.2, wave], [POSITIONS_Y, POSITIONS_Y], color=LINE, lw=1, zorder=1)
        for place, sign, face in ((x, "+", "white"), (wave, "", "#fdf0c8" if lit else PALE)):
            axis.plot(
                place, POSITIONS_Y, "o", ms=15 if sign else 23, mfc=face, mec=colour, mew=1.6 if lit else 0.9, zorder=3
            )
            axis.text(place, POSITIONS_Y - 0.02, sign, ha="center", va="center", **text_style(lit))
        axis.plot(wave + at, POSITIONS_Y + 0.17 * np.sin(at * 9.8), color=colour, lw=1.3, zorder=4)
        label = x + side * 1.85
        axis.text(
            label,
            POSITIONS_Y,
            "Positional\nencoding",
            ha="left" if side > 0 else "right",
            va="center",
            **text_style(lit) | {"fontsize": 8.5},
        )


def draw_paths(axis: Axes) -> None:
    """Upwards through each column, around each sub-layer, and from the encoder's top into the cross-attention."""
    for x, top in ((ENCODER, 8.55), (DECODER, 12.85)):
        axis.plot([x, x], [0.6, top], color=LINE, lw=1, zorder=1)
    for box in BOXES:
        arrow(axis, box.x, box.y - 0.2, box.x, box.y)
        if box.sublayer:
            start, end = box.y - 0.36, box.top + 0.58
            out = box.x + box.outward * 1.75
            axis.plot([box.x, out, out], [start, start, end], color=LINE, lw=1, zorder=1)
            arrow(axis, out, end, box.x + box.outward * WIDTH / 2, end)
    cross = next(box for box in BOXES if box.name == "cross_attention")
    entry = cross.y - 0.2
    axis.plot([ENCODER, 5.0, 5.0, DECODER - 0.9], [8.55, 8.55, entry, entry], color=LINE, lw=1, zorder=1)
    for offset in (-0.9, -0.5):  # keys and values
        arrow(axis, DECODER + offset, entry, DECODER + offset, cross.y)
    axis.plot([DECODER - 0.9, DECODER - 0.5], [entry, entry], color=LINE, lw=1, zorder=1)


def arrow(axis: Axes, x: float, y: float, to_x: float, to_y: float) -> None:
    axis.annotate(
        "",
        (to_x, to_y),
        (x, y),
        arrowprops={"arrowstyle": "-|>", "color": LINE, "lw": 1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8},
        zorder=2,
    )
