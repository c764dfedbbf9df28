"""Lesson 28's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.style import BEFORE, BLACK, INDIGO, SKY
from lessons.experiments.sentiment import ALONE, DIRECTION, RATING, REAL, STATES, TOKENS
from lessons.sentiment.model import HIGHEST_RATING
from lessons.teaching import Sketch, new_figure
from transformer.pooling import mean_pool


def draw_pooling() -> Figure:
    """Vectors of three tokens and a padding, their mean, the head, and what people said."""
    pooled = mean_pool(STATES, REAL)
    score, target = float(pooled[0] @ DIRECTION), RATING / HIGHEST_RATING
    sketch = Sketch(18.5, 6.6)
    states = sketch.matrix(2.9, 0.7, STATES[0].tolist(), "vectors h", rows=TOKENS, largest=9)
    for place, real in enumerate(REAL[0].tolist()):
        sketch.text(5.7, states.top[1] - place - 0.5, "yes" if real else "no", 9)
    sketch.text(5.7, states.top[1] + 0.12, "real?", 9, va="bottom")
    mean = sketch.matrix(8.4, 2.2, pooled.tolist(), "their mean", largest=9)
    sketch.arrow((6.3, 2.7), mean.left)
    head = sketch.matrix(8.4, 0.4, [DIRECTION.tolist()], "w, learnt", learnt=True, largest=9)
    score_box = sketch.box(12.4, 2.1, 2.4, 1.2, f"score\n{score:g}")
    sketch.arrow(mean.right, score_box.left, "w · mean")
    sketch.arrow(head.right, (12.4, 2.3))
    people = sketch.box(12.4, 4.6, 2.4, 1.2, f"people\n{RATING} of {HIGHEST_RATING}")
    loss = sketch.box(16.0, 3.3, 2.3, 1.2, f"loss\n{(score - target) ** 2:g}")
    sketch.arrow(score_box.right, loss.left)
    sketch.arrow(people.right, loss.left, f"{target:g}")
    return sketch.figure


def draw_techniques(scores: Mapping[str, float], trained: Mapping[str, int], lines: Mapping[str, float]) -> Figure:
    """F1 on new sentences over the trained numbers; dashed lines: what one person reaches and what was published."""
    figure, axis = new_figure(height=3.6)
    for method, score in scores.items():
        _, colour, marker = family(method)
        axis.plot(trained[method], score, marker, color=colour, markersize=7)
    for (name, value), colour in zip(lines.items(), (BLACK, BEFORE), strict=True):
        axis.axhline(value, color=colour, linestyle="--", linewidth=1)
        axis.text(250, value + 0.4, name, color=colour, fontsize=9)
    axis.set(xscale="log", xlabel="numbers that are trained", ylabel="F1 on new films (%)", xlim=(200, 6e7))
    axis.set_ylim(min(lines.values()) - 2, max(lines.values()) + 3)
    write_names(axis, [(trained[method], score, method) for method, score in scores.items()])
    return figure


def draw_amounts(curves: Mapping[str, Mapping[int, float]], published: float) -> Figure:
    figure, axis = new_figure(height=3.0)
    for method, curve in curves.items():
        colour, marker = (SKY, "o") if method == ALONE else family(method)[1:]
        axis.plot(list(curve), list(curve.values()), f"{marker}-", color=colour, label=method)
    axis.axhline(
        published, color=BEFORE, linestyle="--", linewidth=1, label="best published learner, half of the movies"
    )
    amounts: Any = sorted({amount for curve in curves.values() for amount in curve})
    axis.set(xscale="log", xlabel="rated sentences to learn from", ylabel="F1 on new films (%)")
    axis.set_xticks(amounts, [f"{amount:,}" for amount in amounts])
    axis.minorticks_off()
    legend_below(figure, axis)
    return figure


def draw_teachers(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """F1 of LoRA: a row for what it was trained on, a column for what it was tested on."""
    figure, axis = new_figure(height=3.0)
    names = list(table)
    for row, taught in enumerate(names):
        for column, tested in enumerate(names):
            value = table[taught][tested]
            axis.barh(row, value / 100, left=column * 1.15, color=INDIGO if taught == tested else SKY, height=0.6)
            axis.text(
                column * 1.15 + 0.02, row, f"{value:.0f}", va="center", color="white" if taught == tested else BLACK
            )
    axis.set_yticks(range(len(names)), names)
    axis.set_xticks([column * 1.15 + 0.5 for column in range(len(names))], names)
    axis.set(xlabel="tested on", ylabel="trained on")
    axis.invert_yaxis()
    return figure
