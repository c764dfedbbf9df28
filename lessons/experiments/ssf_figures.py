"""Lesson 22's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.style import BEFORE, BLACK, INDIGO, ORANGE
from lessons.experiments.ssf import BIAS, SCALE, SHIFT, WEIGHT, X, example
from lessons.teaching import Sketch, Values, new_figure


def column(values: Sequence[float]) -> list[list[float]]:
    return [[value] for value in values]


def draw_scale_and_shift() -> Figure:
    """Above: a factor and a shift behind a frozen layer. Below: the same numbers in the layer's own weights."""
    layer = example()
    merged: Any = layer.merged()
    before, after = layer.base(X).tolist(), layer(X).tolist()
    sketch = Sketch(18.8, 8.4)
    for height, title in ((4.9, "while training"), (0.6, "merged")):
        sketch.text(0.1, height + 3.0, title, 11, ha="left", fontweight="bold")
        sketch.matrix(0.6, height, column(X.tolist()), "x", largest=8)
        sketch.text(2.1, height + 1.0, "→", 14)
    sketch.matrix(2.8, 4.9, WEIGHT.tolist(), "W, frozen", largest=8)
    sketch.matrix(5.5, 4.9, column(BIAS.tolist()), "b", largest=8)
    sketch.text(7.1, 5.9, "→", 14)
    sketch.matrix(7.8, 4.9, column(before), "W x + b", largest=8)
    sketch.text(9.4, 5.9, "⊙", 14)
    sketch.matrix(10.1, 4.9, column(SCALE.tolist()), "γ", learnt=True, largest=8)
    sketch.text(11.7, 5.9, "+", 14)
    sketch.matrix(12.4, 4.9, column(SHIFT.tolist()), "β", learnt=True, largest=8)
    sketch.text(14.0, 5.9, "=", 14)
    sketch.matrix(14.7, 4.9, column(after), "y", largest=8)
    sketch.matrix(2.8, 0.6, (merged.weight + 0.0).tolist(), "γ ⊙ rows of W", largest=8)
    sketch.matrix(6.9, 0.6, column(merged.bias.tolist()), "γ ⊙ b + β", largest=8)
    sketch.text(9.4, 1.6, "→", 14)
    sketch.matrix(10.1, 0.6, column(merged(X).tolist()), "y", largest=8)
    sketch.text(14.6, 1.6, "an ordinary layer:\nnothing is left of γ and β", 10)
    return sketch.figure


def draw_distances(distances: Mapping[str, tuple[float, float]]) -> Figure:
    """How far factors and shifts went from their start, behind each kind of operation."""
    figure, panels = new_figure(columns=2, height=2.9, sharey=True)
    for axis, place, title in zip(panels, (0, 1), ("factors: mean |γ - 1|", "shifts: mean |β|"), strict=True):
        values = [pair[place] for pair in distances.values()]
        colours = [BLACK if place == 1 and name == "k_proj" else ORANGE for name in distances]
        bars = axis.barh(list(distances), values, color=colours)
        axis.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
        axis.margins(x=0.15)
        axis.set_xlabel(title)
    panels[0].invert_yaxis()
    return figure


def draw_starts(runs: Mapping[str, Values]) -> Figure:
    """The losses from both starts."""
    figure, axis = new_figure(height=2.7)
    for (name, run), colour, line in zip(runs.items(), (ORANGE, INDIGO), ("-", "--"), strict=True):
        axis.plot(range(1, len(run["losses"]) + 1), run["losses"], line, color=colour, label=f"start: {name}")
    axis.set(xlabel="step", ylabel="loss on British words", yscale="log")
    legend_below(figure, axis)
    return figure


def draw_trade(errors: Mapping[str, float], trained: Mapping[str, int], before: float) -> Figure:
    """British word error over trained parameters, a dot for each technique."""
    figure, axis = new_figure(height=3.0)
    for name, error in errors.items():
        axis.plot(trained[name], error, "^" if name == "ssf" else "o", color=ORANGE if name == "ssf" else BLACK)
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1)
    axis.text(min(trained.values()), before - 1, "base, not tuned", va="top", fontsize=9)
    axis.set(xscale="log", xlabel="trained parameters", ylabel="British word error (%)", ylim=(35, before + 5))
    axis.margins(x=0.2)
    write_names(axis, [(trained[name], error, name) for name, error in errors.items()])
    return figure
