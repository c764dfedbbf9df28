"""Lesson 29's drawing, the paper's block beside today's, and its figures."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, ORANGE
from lessons.experiments.language_model import X, cache_bytes, scores
from lessons.teaching import Sketch, new_figure
from lessons.teaching.sketch import EDGE
from transformer import LayerNorm, RMSNorm

PAPER = ("x + position", "attention\n4 heads of keys", "add, LayerNorm", "φ(W₁ x)\nReLU", "add, LayerNorm")
TODAY = ("x", "RMSNorm", "attention, turned\n1 head of keys", "add", "RMSNorm", "φ(W₁ x) ⊙ W₃ x\nSiLU", "add")
MODELS = {"SmolLM2-135M": (30, 9, 3, 64), "Llama 3 8B": (32, 32, 8, 128), "Qwen2.5 7B": (28, 28, 4, 128)}
"""Layers, heads of queries, heads of keys and values, d_head."""


def normed() -> tuple[Tensor, Tensor]:
    """The example's vector after LayerNorm and after RMSNorm."""
    with torch.no_grad():
        return LayerNorm(len(X), eps=1e-12)(X), RMSNorm(len(X), eps=1e-12)(X)


def draw_blocks() -> Figure:
    """One layer of 2017 and one of today, and the same vector in both norms."""
    sketch = Sketch(18.8, 14.6)
    column(sketch, 0.2, "2017", PAPER, around=[(0, 2), (2, 4)])
    column(sketch, 5.9, "today", TODAY, around=[(0, 3), (3, 6)])
    for y, name, values in zip((11.8, 9.2, 6.6), ("x", "LayerNorm(x)", "RMSNorm(x)"), (X, *normed()), strict=True):
        sketch.matrix(12.4, y, [values.tolist()], name, cell=(1.55, 1.0), largest=5.0)
    sketch.text(15.4, 4.6, "a pair (1, 0), turned by its position t", size=9)
    for at in range(4):
        pair = [[math.cos(at)], [math.sin(at)]]
        sketch.matrix(11.95 + 1.7 * at, 1.2, pair, f"t = {at}", cell=(1.55, 1.0), form=".2f", largest=1.6)
    return sketch.figure


def column(sketch: Sketch, x: float, title: str, steps: Sequence[str], around: Sequence[tuple[int, int]]) -> None:
    """A layer from top to bottom; `around` are the boxes from which and to which a residual goes."""
    sketch.text(x + 2.1, 14.2, title, size=12)
    boxes = [sketch.box(x, 12.3 - 1.95 * row, 4.2, 1.4, step) for row, step in enumerate(steps)]
    for above, below in pairwise(boxes):
        sketch.arrow(above.bottom, below.top)
    for first, last in around:
        (right, top), bottom = boxes[first].right, boxes[last].right[1] + 0.25
        top -= 0.25
        sketch.axis.plot([right, right + 0.6, right + 0.6], [top, top, bottom], color=EDGE, linewidth=1.2)
        sketch.arrow((right + 0.7, bottom), (right, bottom))


def draw_parts(found: Mapping[str, float]) -> Figure:
    """Part → the loss with it put back."""
    figure, axis = new_figure(height=3.3)
    names = list(found)
    colours = [BEFORE, *[INDIGO] * (len(names) - 2), ORANGE]
    axis.barh(names, list(found.values()), color=colours)
    for row, loss in enumerate(found.values()):
        axis.text(loss, row, f" {loss:.2f}", va="center", fontsize=9)
    axis.invert_yaxis()
    axis.set(xlabel="loss, nats per token", xlim=(0, 1.12 * max(found.values())))
    return figure


def draw_distances(bases: Mapping[float, str], starts: Sequence[int], d_head: int, distances: int) -> Figure:
    """The score of two equal vectors over their distance, at several places: the lines lie on each other."""
    figure, axis = new_figure(height=3.1)
    thin: list[Any] = [
        {"linewidth": 7, "alpha": 0.25},
        {"linewidth": 3, "alpha": 0.6},
        {"linewidth": 1, "color": BLACK},
    ]
    for (base, name), colour in zip(bases.items(), (INDIGO, ORANGE), strict=True):
        for start, style in zip(starts, thin, strict=True):
            label = f"{name}, key at {start}"
            axis.plot(scores(base, d_head, start, distances), label=label, **{"color": colour, **style})
    axis.set(xlabel="distance of query and key", ylabel="q · k / d_head")
    legend_below(figure, axis, columns=2)
    return figure


def draw_caches(length: int) -> Figure:
    """Megabytes of keys and values, with a head for every query and with those that the model has."""
    figure, axis = new_figure(height=3.1)
    rows = range(len(MODELS))
    for heads, shift, colour, name in ((0, -0.2, BEFORE, "one for each head of queries"), (1, 0.2, GREEN, "shared")):
        sizes = [cache_bytes(model[0], model[1 + heads], model[3], length) / 1e6 for model in MODELS.values()]
        axis.barh([row + shift for row in rows], sizes, height=0.38, color=colour, label=name)
        for row, size in zip(rows, sizes, strict=True):
            axis.text(size, row + shift, f" {size:,.0f}", va="center", fontsize=9)
    axis.set_yticks(list(rows), list(MODELS))
    axis.invert_yaxis()
    axis.set(xlabel=f"MB for {length:,} tokens, in 16 bits")
    axis.margins(x=0.14)
    legend_below(figure, axis, columns=2)
    return figure
