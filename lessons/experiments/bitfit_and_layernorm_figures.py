"""Lesson 12's drawing, with the numbers of its examples by hand, and its figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.style import BEFORE, INDIGO, ORANGE, WINE
from lessons.experiments.bitfit_and_layernorm import (
    BIAS,
    GAIN,
    KINDS,
    NORM_BIAS,
    NORMED,
    OUTPUTS,
    SUBLAYERS,
    TECHNIQUES,
    errors_of,
    relative_change,
    searched,
)
from lessons.teaching import Sketch, kept_mean, kept_report, new_figure

ROWS = ("input 1", "input 2")


def draw_bias_and_gain() -> Figure:
    """Above: a bias moves both inputs alike. Below: a gain stretches a feature, which moves them unlike."""
    sketch = Sketch(18, 7.6)
    sketch.text(0, 7.3, "BitFit", ha="left", fontweight="bold")
    outputs = sketch.matrix(3.6, 5.0, OUTPUTS.tolist(), "W x", rows=ROWS)
    bias = sketch.matrix(8.6, 5.5, [BIAS.tolist()], "b", learnt=True)
    moved = sketch.matrix(12.2, 5.0, (OUTPUTS + BIAS).tolist(), "W x + b")
    sketch.arrow(outputs.right, bias.left, "+")
    sketch.arrow(bias.right, moved.left)
    sketch.text(16.3, 6.0, "both inputs\nmove alike", 9)
    sketch.text(0, 3.9, "LayerNorm tuning", ha="left", fontweight="bold")
    normed = sketch.matrix(3.6, 1.0, NORMED.tolist(), "x̂", rows=ROWS)
    gain = sketch.matrix(7.1, 1.5, [GAIN.tolist()], "g", learnt=True)
    added = sketch.matrix(10.0, 1.5, [NORM_BIAS.tolist()], "b", learnt=True)
    out = sketch.matrix(13.2, 1.0, (GAIN * NORMED + NORM_BIAS).tolist(), "g ⊙ x̂ + b")
    sketch.arrow(normed.right, gain.left, "×")
    sketch.arrow(gain.right, added.left, "+")
    sketch.arrow(added.right, out.left)
    sketch.text(16.9, 2.0, "feature 1\nis stretched", 9)
    sketch.text(9.5, 0.3, "a red edge: trained. The matrices W stay as they are.", 9)
    return sketch.figure


def draw_gradients(sizes: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.6)
    colours = [WINE if kind == "k_proj" else BEFORE for kind in sizes]
    bars = axis.barh(list(sizes), list(sizes.values()), color=colours)
    axis.bar_label(bars, fmt="%.0e", padding=3)
    axis.invert_yaxis()
    axis.set(xscale="log", xlabel="mean size of the gradient of these biases", xlim=(1e-12, 1))
    return figure


def draw_bias_changes(moved: Mapping[tuple[str, int, str], float]) -> Figure:
    """How far each bias vector moved: kind and layer downwards, sub-layer across."""
    figure, axis = new_figure(height=4.4)
    rows = [(kind, layer) for kind in KINDS[:6] for layer in range(3)]
    picture = np.full((len(rows), len(SUBLAYERS)), np.nan)
    for (kind, layer, column), value in moved.items():
        picture[rows.index((kind, layer)), list(SUBLAYERS).index(column)] = value
    image = axis.imshow(picture, cmap="Purples", vmin=0, aspect="auto")
    axis.set_xticks(range(len(SUBLAYERS)), list(SUBLAYERS))
    axis.set_yticks(range(len(rows)), [f"{kind}, layer {layer}" for kind, layer in rows], fontsize=9)
    figure.colorbar(image, label="change (root mean square)")
    return figure


def draw_gains(pairs: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    figure, (dots, bars) = new_figure(columns=2, height=3.3)
    for side, colour in (("encoder", INDIGO), ("decoder", ORANGE)):
        chosen = [pair for name, pair in pairs.items() if name.startswith(side)]
        before, after = (np.concatenate(part) for part in zip(*chosen, strict=True))
        dots.scatter(before, after, s=4, alpha=0.5, color=colour, label=side)
    dots.axline((0.5, 0.5), slope=1, color=BEFORE, linewidth=1)
    dots.set(xlabel="gain in the base", ylabel="gain after tuning")
    relative = {name: relative_change(pair) for name, pair in pairs.items()}
    farthest = sorted(relative, key=relative.__getitem__, reverse=True)[:7]
    bars.barh([short(name) for name in farthest], [relative[name] for name in farthest], color=BEFORE)
    bars.invert_yaxis()
    bars.tick_params(axis="y", labelsize=8)
    bars.set_xlabel("change of its gains (%)")
    legend_below(figure, dots)
    return figure


def short(name: str) -> str:
    return name.replace(".layers", "").replace("_attention", "").replace(".norm", "").replace("_forward", "")


def draw_losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    figure, axis = new_figure(height=3.0)
    for (name, values), colour in zip(losses.items(), (BEFORE, INDIGO, ORANGE), strict=True):
        axis.plot(range(1, len(values) + 1), values, color=colour, label=name)
    axis.set(xlabel="step", ylabel="loss on British words", ylim=(0, None))
    legend_below(figure, axis)
    return figure


def draw_search() -> Figure:
    """Error over the learning rate, for both techniques and full fine-tuning; from the saved search."""
    figure, axis = new_figure(height=3.0)
    for method, marker, colour in (("full", "o", BEFORE), ("bitfit", "s", INDIGO), ("ln_tuning", "^", ORANGE)):
        errors = searched(method)
        axis.plot([float(rate) for rate in errors], list(errors.values()), f"{marker}-", color=colour, label=method)
    axis.axvspan(0.0008, 0.0125, color="#eeeeee", zorder=0)
    axis.text(0.0032, 6.6, "the first three rates", ha="center", fontsize=9)
    axis.set(xscale="log", xlabel="learning rate", ylabel="British phoneme error (%)", ylim=(6, None))
    legend_below(figure, axis)
    return figure


def draw_trained_and_error() -> Figure:
    """Error over how many numbers are trained; from the saved run."""
    figure, axis = new_figure(height=3.2)
    points = [(kept_mean(method, "trainable_parameters"), errors_of(method), method) for method in TECHNIQUES]
    for x, y, method in points:
        axis.scatter(x, y, color=family(method).colour, marker=family(method).marker)
    base = 100 * kept_report()["base"]["british"]["phoneme_error"]
    axis.axhline(base, color=BEFORE, linestyle=":")
    axis.text(2.3e3, base - 0.3, "the base before", va="top", fontsize=9)
    axis.set(xscale="log", xlim=(2e3, 6e6), ylim=(0, 1.1 * base))
    axis.set(xlabel="trained parameters", ylabel="British phoneme error (%)")
    write_names(axis, points)
    return figure
