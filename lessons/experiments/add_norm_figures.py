"""Lesson 5's drawing, the example by hand in post-norm and in pre-norm, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, ORANGE, PINK, SKY
from lessons.experiments.add_norm import Depth, by_hand
from lessons.experiments.add_norm_streams import Stream
from lessons.teaching import Sketch, new_figure
from lessons.teaching.sketch import EDGE, Place

LINES: dict[str, dict[str, Any]] = {
    "pre-norm": {"color": INDIGO, "linestyle": "-"},
    "post-norm": {"color": ORANGE, "linestyle": "-"},
    "norm only": {"color": GREEN, "linestyle": "-", "linewidth": 3.0},
    "add only": {"color": PINK, "linestyle": "-."},
    "neither": {"color": SKY, "linestyle": "--"},
}
"""Norm only is wide, so that it is seen under neither, which is dashed."""
ROWS = (
    ("post-norm:\nadd, then norm", 5.9, ("x", "f", "+", "sum", "LayerNorm", "post")),
    ("pre-norm:\nnorm, then add", 0.2, ("x", "LayerNorm", "norm", "f", "+", "sum")),
)
BOXES = {"f": "f", "LayerNorm": "Layer\nNorm", "+": "+"}
TITLES = {"x": "x", "norm": "LN(x)", "said": "f", "sum": "x + f", "post": "y"}


def draw_two_orders() -> Figure:
    """The same vector and the same output of the sub-layer, in both orders."""
    numbers, sketch = by_hand(), Sketch(18.8, 11.2)
    for name, low, steps in ROWS:
        sketch.text(0, low + 2, name, ha="left")
        last: Place | None = None
        x, begins = 3.8, 0.0
        for step in steps:
            for part in [step, "said"] if step == "f" else [step]:
                if part in BOXES:
                    width = 2.4 if part == "LayerNorm" else 1.0
                    place = sketch.box(x, low + 1.3, width, 1.4, BOXES[part])
                else:
                    column = [[value] for value in numbers["f" if part == "said" else part]]
                    title = "y" if low < 1 and part == "sum" else TITLES[part]
                    width, place = 1.25, sketch.matrix(x, low, column, title, cell=(1.25, 1.0), largest=4.0)
                if last:
                    sketch.arrow(last.right, place.left)
                if part == "x":
                    begins = place.top[0]
                if part == "+":
                    over = (place.top[0], low + 5.1)
                    sketch.axis.plot(
                        [begins, begins, over[0]], [low + 4.7, over[1], over[1]], color=EDGE, linewidth=1.2
                    )
                    sketch.arrow((over[0], over[1] + 0.13), place.top)
                last, x = place, x + width + 0.9
    return sketch.figure


def draw_depth(found: Mapping[str, Depth]) -> Figure:
    """The gradient on its way back, and how alike the positions are on the way there."""
    figure, (left, right) = new_figure(columns=2, height=3.3)
    for version, depth in found.items():
        layers = range(1, len(depth.alike) + 1)
        left.plot(layers, [size / depth.gradient[-1] for size in depth.gradient], label=version, **LINES[version])
        right.plot(layers, depth.alike, **LINES[version])
    left.set(yscale="log", xlabel="layer", title="gradient,\nagainst that at the last layer")
    right.set(xlabel="layer", title="cosine between the\npositions of a word", ylim=(0, 1.05))
    legend_below(figure, left, columns=5)
    return figure


def draw_learning(curves: Mapping[tuple[str, int], Sequence[float]], ends: Mapping[tuple[str, int], float]) -> Figure:
    """(version, layers) → the losses; at the left where they end, at the right on the way for the deepest."""
    figure, (left, right) = new_figure(columns=2, height=3.3)
    depths = sorted({layers for _, layers in curves})
    for version in dict.fromkeys(version for version, _ in curves):
        left.plot(depths, [ends[version, layers] for layers in depths], marker="o", label=version, **LINES[version])
        losses = curves[version, depths[-1]]
        right.plot(range(1, len(losses) + 1), losses, **LINES[version])
    left.set(xlabel="layers", ylabel="loss at the end", xticks=depths)
    right.set(xlabel="step", title=f"on the way, {depths[-1]} layers")
    legend_below(figure, left)
    return figure


def draw_rates(ends: Mapping[tuple[str, bool], Mapping[float, float]]) -> Figure:
    """(order, with warm-up) → rate → loss at the end."""
    figure, axis = new_figure(height=3.1)
    for (order, warm), losses in ends.items():
        style = {"color": LINES[order]["color"], "linestyle": "--" if warm else "-", "marker": "o"}
        name = f"{order}, {'with warm-up' if warm else 'full rate at once'}"
        axis.plot(list(losses), list(losses.values()), label=name, **style)
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss at the end", ylim=(0, None))
    legend_below(figure, axis, columns=2)
    return figure


def draw_stream(stream: Stream) -> Figure:
    figure, axis = new_figure(height=3.1)
    axis.plot(["input", *stream.lengths], [stream.start, *stream.lengths.values()], "o-", label="length of the stream")
    axis.bar(list(stream.added), list(stream.added.values()), color=BEFORE, label="length of what the sub-layer adds")
    axis.tick_params(axis="x", rotation=20)
    axis.set(ylabel="mean length", ylim=(0, None))
    legend_below(figure, axis)
    return figure
