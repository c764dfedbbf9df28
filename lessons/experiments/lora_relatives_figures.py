"""Lesson 14's drawing of the examples by hand, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from torch import Tensor

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below, write_names
from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, NOTE, ORANGE
from lessons.experiments.lora_relatives import AXES, FAMILY, ROW, correlation, ia3_by_hand, turned_row, vera_by_hand
from lessons.teaching import Sketch, kept_rows, new_figure
from peft import DoraLinear, LoraLinear
from peft.pissa import principal_factors

SHORT = {"rslora": "rsLoRA", "lora_plus": "LoRA+", "dora": "DoRA", "pissa": "PiSSA", "vera": "VeRA", "ia3": "IA3"}


def name_of(method: str) -> str:
    return SHORT.get(method, "LoRA" if method == "lora" else method)


def draw_relatives() -> Figure:
    """DoRA's turned row in a plane; PiSSA, VeRA and IA3 as products."""
    sketch = Sketch(18.8, 8.6)
    draw_plane(sketch, 0.8, 1.4)
    sketch.text(3.6, 8.3, "DoRA: turn, and keep the length")
    up, down = principal_factors(AXES, rank=1, scaling=1.0)
    sketch.text(9.0, 7.0, "PiSSA", ha="left")
    start = sketch.matrix(11.2, 6.2, AXES.tolist(), "W")
    largest = sketch.matrix(15.2, 6.2, (up @ down).tolist(), "start of B A", learnt=True)
    sketch.arrow(start.right, largest.left, "largest")
    sketch.text(9.0, 4.2, "VeRA", ha="left")
    narrow = sketch.matrix(10.8, 3.7, [[3.0]], "A x")
    factor = sketch.matrix(12.5, 3.7, [[0.5]], "λd", learnt=True)
    wide = sketch.matrix(14.2, 3.2, [[1.5], [3.0]], "B ...")
    factors = sketch.matrix(15.9, 3.2, [[2.0], [0.0]], "λb", learnt=True)
    sum_up = sketch.matrix(17.6, 3.2, vera_by_hand()[:, None].tolist(), "added")
    for left, right in ((narrow, factor), (factor, wide), (wide, factors), (factors, sum_up)):
        sketch.arrow(left.right, right.left)
    before, after = ((side[:, None] + 0.0).tolist() for side in ia3_by_hand())
    sketch.text(9.0, 1.2, "IA3", ha="left")
    features = sketch.matrix(11.2, 0.2, before, "W x + b")
    gains = sketch.matrix(14.2, 0.2, [[1.5], [0.0]], "l", learnt=True)
    result = sketch.matrix(17.2, 0.2, after, "y")
    sketch.arrow(features.right, gains.left, "times")
    sketch.arrow(gains.right, result.left)
    return sketch.figure


def draw_plane(sketch: Sketch, x: float, y: float) -> None:
    """The row (3, 4), what LoRA makes of it, what DoRA makes of it, and the circle of its length."""
    vectors = {"W": (ROW, BEFORE), "DoRA": (turned_row(DoraLinear), ORANGE), "LoRA": (turned_row(LoraLinear), INDIGO)}
    sketch.axis.add_patch(Arc((x, y), 10, 10, theta1=-6, theta2=66, color=BEFORE, linestyle="--", linewidth=1))
    for name, (row, colour) in vectors.items():
        right, up = row[0].tolist()
        style = {
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 3 if name == "LoRA" else 2,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        sketch.axis.annotate("", (x + right, y + up), (x, y), arrowprops=style)
        place = (x + right - 1.2, y + up) if up else (x + right - (1.2 if name == "LoRA" else 0.1), y - 0.6)
        sketch.text(place[0], place[1], f"{name} ({right:.0f}, {up:.0f})", 9, color=colour)
    sketch.text(x + 4.4, y + 3.4, "length 5", 9, color=NOTE, ha="left")
    sketch.arrow((x + 3, y + 3.8), (x + 3, y + 0.2))
    sketch.text(x + 3.1, y + 1.8, "+ B A", 9, ha="left", color=NOTE)


def draw_family() -> Figure:
    """British error over trained parameters: a dot for each seed, a name for each technique."""
    figure, axis = new_figure(height=3.4)
    names = []
    for method in ("full", *FAMILY):
        rows, look = kept_rows(method), family(method)
        errors = [100 * row["british"]["phoneme_error"] for row in rows]
        count = rows[0]["trainable_parameters"]
        axis.plot([count] * len(errors), errors, look.marker, color=look.colour, markersize=4, alpha=0.6)
        names.append((count, sum(errors) / len(errors), name_of(method)))
    axis.set(xscale="log", xlabel="trained parameters", ylabel="British phoneme error (%)")
    axis.margins(x=0.15, y=0.2)
    write_names(axis, names)
    return figure


def draw_effects(found: Mapping[tuple[bool, bool], Sequence[float]], ranks: Sequence[int]) -> Figure:
    """A step's effect over the rank: plain gradient descent on the left, Adam on the right."""
    figure, axes = new_figure(columns=2, height=3.0, sharey=True)
    for (adam, rslora), values in found.items():
        name, colour = ("rsLoRA, α/√r", ORANGE) if rslora else ("LoRA, α/r", INDIGO)
        axes[int(adam)].loglog(ranks, values, "o-", color=colour, label=name)
    for axis, title in zip(axes, ("plain gradient descent", "Adam"), strict=True):
        axis.set_xticks(list(ranks), [str(rank) for rank in ranks])
        axis.minorticks_off()
        axis.set(title=title, xlabel="rank")
    axes[0].set_ylabel("effect of a step (first rank: 1)")
    legend_below(figure, axes[0])
    return figure


def draw_turns(points: Mapping[str, tuple[list[float], list[float]]]) -> Figure:
    """One dot for each matrix: how far its rows turned, how much their lengths changed."""
    figure, axes = new_figure(columns=len(points), height=2.9)
    for axis, (name, found), colour in zip(axes, points.items(), (BLACK, INDIGO, ORANGE), strict=True):
        axis.plot(*found, "o", color=colour, markersize=3)
        axis.set(title=f"{name}\ncorrelation {correlation(found):.2f}", xlabel="turned, 1 - cos")
        axis.locator_params(axis="x", nbins=3)
    axes[0].set_ylabel("change of length")
    return figure


def draw_spectrum(values: Tensor, noise: Tensor, rank: int) -> Figure:
    """Singular values of a matrix of the base and of a random one; on the right the losses of the first steps."""
    figure, (left, right) = new_figure(columns=2, height=3.1)
    places = torch.arange(1, len(values) + 1)
    left.plot(places, values, color=GREEN, label="W of the base")
    left.plot(places, noise, color=BEFORE, linestyle=":", label="random, same size")
    left.fill_between(places[:rank], values[:rank], color=GREEN, alpha=0.4)
    left.set(xlabel="which singular value", ylim=(0, None), title="shaded: PiSSA's start")
    left.legend(fontsize=8)
    for method in ("lora", "pissa", "lora_plus"):
        steps, losses = zip(*kept_rows(method)[0]["loss_curve"], strict=True)
        right.plot(steps[:24], losses[:24], label=name_of(method))
    right.set(yscale="log", xlabel="step", title="training loss, saved run")
    right.legend(fontsize=8)
    return figure


def draw_factors(factors: Mapping[str, Tensor]) -> Figure:
    figure, axis = new_figure(height=2.8)
    for name, values in factors.items():
        axis.hist(values.numpy(), bins=60, range=(-0.5, 3), histtype="step", density=True, label=name)
    axis.axvline(1, color=BEFORE, linewidth=0.8)
    axis.set(xlabel="IA3's factor; 1 is the base", ylabel="density")
    legend_below(figure, axis)
    return figure
