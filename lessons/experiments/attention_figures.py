"""Lesson 3's drawing of the mechanism, with the by-hand example's numbers in it, and its figures."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BRITISH
from lessons.experiments.attention import KEYS, QUERY, VALUES, Looking, Saturation
from lessons.task.attention_map import draw_panel, letter_attention
from lessons.teaching import Sketch, new_figure
from transformer import Transformer, scaled_dot_product_attention

NAMES = ("key 1", "key 2")


def draw_one_query() -> Figure:
    """One query, two keys, two values: scores, scale, softmax, weighted mean."""
    products = QUERY @ KEYS.T
    result, weights = scaled_dot_product_attention(QUERY, KEYS, VALUES)
    sketch = Sketch(18.5, 6.4)
    query = sketch.matrix(1.5, 4.5, QUERY.tolist(), rows=["query"])
    keys = sketch.matrix(1.5, 1.5, KEYS.tolist(), rows=NAMES)
    steps = [
        sketch.matrix(7.0, 1.5, products.T.tolist(), "q · k"),
        sketch.matrix(9.7, 1.5, (products / math.sqrt(QUERY.shape[-1])).T.tolist(), "scores"),
        sketch.matrix(13.0, 1.5, weights.T.tolist(), "weights"),
    ]
    values = sketch.matrix(16, 1.5, VALUES.tolist(), "values")
    mean = sketch.matrix(16, 4.6, result.tolist(), "result")
    sketch.arrow(query.bottom, keys.top)
    sketch.text(3.75, 4.0, "times each key", 9, ha="left")
    sketch.arrow(keys.right, steps[0].left)
    sketch.arrow(steps[0].right, steps[1].left, "÷ √d")
    sketch.arrow(steps[1].right, steps[2].left, "softmax")
    sketch.arrow(steps[2].right, values.left, "times")
    sketch.arrow((values.top[0], 4.1), mean.bottom)
    sketch.text(17.2, 4.3, "sum", 9, ha="left")
    sketch.text(steps[2].bottom[0], 1.0, "sum to 1", 9)
    return sketch.figure


def draw_saturation(found: Saturation) -> Figure:
    figure, axes = new_figure(columns=3, height=2.9)
    axes[0].plot(found.sizes, found.spread, "o", color=BEFORE)
    axes[0].plot(found.sizes, [size**0.5 for size in found.sizes], color=BEFORE)
    axes[0].set(title="spread of q · k\n(line: √d)", xscale="log", yscale="log")
    for axis, measured, title in (
        (axes[1], found.largest, "largest of\n16 weights"),
        (axes[2], found.gradient, "gradient\nthrough softmax"),
    ):
        axis.plot(found.sizes, measured[False], "o-", color=AMERICAN, markersize=4, label="q · k")
        axis.plot(found.sizes, measured[True], "s-", color=BRITISH, markersize=4, label="q · k / √d")
        axis.set(title=title, xscale="log", ylim=(0, None))
    for axis in axes:
        axis.set_xlabel("d")
    legend_below(figure, axes[1])
    return figure


def draw_errors(errors: Mapping[float, float], names: Mapping[float, str]) -> Figure:
    """Phoneme error over the factor on all scores; some factors have names."""
    figure, axis = new_figure(height=2.9)
    axis.plot(list(errors), list(errors.values()), "o-")
    for factor, name in names.items():
        axis.annotate(name, (factor, errors[factor]), (0, 8), ha="center", textcoords="offset points", fontsize=9)
    axis.set(xscale="log", xlabel="all scores times", ylabel="phoneme error (%)", xlim=(0.11, 9))
    axis.set_ylim(0, 1.2 * max(errors.values()))
    axis.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    axis.minorticks_off()
    return figure


def draw_letters(model: Transformer, words: Sequence[str]) -> Figure:
    """Where the decoder looks while it says each sound of these words."""
    figure, axes = new_figure(columns=len(words), height=3.4)
    for axis, word in zip(axes, words, strict=True):
        draw_panel(axis, "", letter_attention(model, word))
        axis.set_title(axis.get_title().strip(), fontsize=11)
        axis.tick_params(labelsize=9)
    axes[0].set_ylabel("sounds")
    return figure


def draw_head(maps: Mapping[str, Tensor]) -> Figure:
    """One head of the encoder on some words: word → (query, key)."""
    figure, axes = new_figure(columns=len(maps), height=3.4)
    for axis, (word, weights) in zip(axes, maps.items(), strict=True):
        names = [*word, "end"]
        axis.imshow(weights, cmap="Blues", vmin=0, vmax=1)
        axis.set_xticks(range(len(names)), names)
        axis.set_yticks(range(len(names)), names)
        axis.set(title=word, xlabel="at what")
    axes[0].set_ylabel("who looks")
    return figure


def draw_looking(found: Looking) -> Figure:
    figure, axis = new_figure(height=2.9)
    edges = [value / 2 for value in range(2, 31)]
    shares = [[100 / len(counts)] * len(counts) for counts in found.at.values()]
    axis.hist(list(found.at.values()), bins=edges, weights=shares, label=list(found.at))
    axis.set(xlabel="positions that a query looks at", ylabel="queries (%)")
    axis.legend()
    return figure
