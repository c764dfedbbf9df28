"""Lesson 17's drawing, the by-hand example in a bottleneck, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BLACK, GREEN, ORANGE
from lessons.experiments.adapters import DOWN, UP, H
from lessons.teaching import Sketch, new_figure


def draw_bottleneck() -> Figure:
    """h goes down to two numbers, through ReLU, up to three again; h itself is added."""
    narrow = DOWN @ H
    after = narrow.relu()
    wide = UP @ after
    sketch, low = Sketch(18.8, 6.6), 0.6

    def column(values: torch.Tensor, x: float, y: float, title: str) -> tuple[float, float, float, float]:
        place = sketch.matrix(x, y, [[value] for value in values.tolist()], title, cell=(1.3, 1.0), largest=6)
        return (*place.left, *place.right)

    first = column(H, 0.4, low, "h")
    down = sketch.matrix(3.0, low + 0.5, DOWN.tolist(), r"$W_{down}$", learnt=True, largest=2)
    second = column(narrow, 7.0, low + 0.5, "narrow")
    third = column(after, 9.7, low + 0.5, "ReLU")
    up = sketch.matrix(12.1, low, UP.tolist(), r"$W_{up}$", learnt=True, cell=(1.3, 1.0), largest=2)
    fourth = column(wide, 15.3, low, "added")
    last = column(H + wide, 17.3, low, "h + added")
    ends = [(first[2:], down.left), (down.right, second[:2]), (second[2:], third[:2]), (third[2:], up.left)]
    for start, end in [*ends, (up.right, fourth[:2]), (fourth[2:], last[:2])]:
        sketch.arrow(start, end)
    sketch.axis.plot([1.05, 1.05, 17.95], [low + 3.9, low + 5.2, low + 5.2], color=BEFORE, linewidth=1.2)
    sketch.arrow((17.95, low + 5.33), (17.95, low + 3.7))
    sketch.text(9.5, low + 5.6, "the residual: h goes past unchanged", 9)
    return sketch.figure


def draw_starts(errors: Mapping[float, float], losses: Mapping[float, Sequence[float]]) -> Figure:
    """Left: American error before training. Right: the training loss from a small and from a large start."""
    figure, (left, right) = new_figure(columns=2, height=3.1)
    left.semilogx(list(errors), list(errors.values()), "o-", color=AMERICAN)
    left.set(xlabel="σ of the matrices at the start", ylabel="American phoneme error (%)", title="before any training")
    for (spread, values), colour in zip(losses.items(), (GREEN, ORANGE), strict=True):
        right.semilogy(range(1, len(values) + 1), values, color=colour, label=f"σ = {spread}")
    right.set(xlabel="step", ylabel="training loss", title="training on British words")
    legend_below(figure, right)
    return figure


def draw_places(added: Mapping[str, float], silenced: Mapping[str, float], none: float, every: float) -> Figure:
    """Left: how much each adapter adds. Right: the error without it, between that of all and that of none."""
    figure, (left, right) = new_figure(columns=2, height=3.4)
    names, colour = [name.replace("coder", "c.") for name in added], family("adapter_pfeiffer").colour
    left.barh(names, list(added.values()), color=colour)
    left.set(xlabel="length of what is added (%),\nagainst what it is given")
    right.barh(names, list(silenced.values()), color=ORANGE)
    right.axvline(none, color=BLACK, linestyle="--", linewidth=1, label="none silent")
    right.axvline(every, color=BEFORE, linestyle=":", linewidth=1.5, label="all silent")
    right.set(xlabel="British phoneme error (%)\nwith this one silent")
    for axis in (left, right):
        axis.invert_yaxis()
    legend_below(figure, right)
    return figure


def draw_times(ratios: Mapping[int, Mapping[str, float]]) -> Figure:
    figure, axis = new_figure(height=3.0)
    for (rows, found), shift, colour in zip(ratios.items(), (-0.2, 0.2), (BEFORE, GREEN), strict=True):
        places = [index + shift for index in range(len(found))]
        bars = axis.bar(places, list(found.values()), width=0.38, color=colour, label=f"batch of {rows}")
        axis.bar_label(bars, fmt="%.2f", fontsize=8)
        axis.set_xticks(range(len(found)), list(found), fontsize=9)
    axis.axhline(1, color=BLACK, linewidth=0.8)
    axis.set(ylabel="time of a pass, the base is 1")
    legend_below(figure, axis)
    return figure
