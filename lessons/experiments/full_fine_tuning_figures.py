"""Lesson 11's drawing, with the numbers of the model that has one weight, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BLACK, BRITISH, INDIGO
from lessons.experiments.full_fine_tuning import NEW, OLD, WEIGHT, Errors, OneWeight, one_step
from lessons.teaching import Sketch, new_figure

ACCENTS = (("british", BRITISH), ("american", AMERICAN))


def draw_one_weight() -> Figure:
    """The base keeps its weight; the copy takes one step; both tasks' losses before and after."""
    start, after = OneWeight(), one_step(torch.optim.SGD)
    sketch = Sketch(18, 6.6)
    wide = {"cell": (1.6, 1.0), "form": ".4g"}
    base = sketch.matrix(0.4, 4.0, [[WEIGHT]], "base", **wide)
    copy = sketch.matrix(5.0, 4.0, [[WEIGHT]], "copy", learnt=True, **wide)
    moved = sketch.matrix(11.0, 4.0, [[after.weight]], "after one step", learnt=True, **wide)
    sketch.arrow(base.right, copy.left, "copied")
    sketch.arrow(copy.right, moved.left, "slope -3, rate 0.1")
    sketch.text(13.0, 4.5, "the model that speaks", 9, ha="left")
    sketch.arrow((1.2, 4.0), (1.2, 2.3))
    sketch.text(0.2, 1.9, f"switched off:\nw = {after.off:g} again", 9, ha="left", va="top")
    rows = [[start.loss(NEW).item(), after.new], [start.loss(OLD).item(), after.old]]
    losses = sketch.matrix(
        9.4, 0.6, rows, rows=["loss of the new task, x = 1 → 5", "loss of the old task, x = 1 → 2"], **wide
    )
    sketch.text(10.2, 2.75, "before", 9, va="bottom")
    sketch.text(11.8, 2.75, "after", 9, va="bottom")
    sketch.text(losses.right[0] + 0.3, 2.1, "learnt", 9, ha="left")
    sketch.text(losses.right[0] + 0.3, 1.1, "forgotten: nothing asked to keep it", 9, ha="left")
    return sketch.figure


def draw_over_time(losses: Sequence[float], over_time: Mapping[int, Errors]) -> Figure:
    figure, (left, right) = new_figure(columns=2, height=3.1)
    left.plot(range(1, len(losses) + 1), losses, color=BLACK, linewidth=0.9)
    left.set(xlabel="step", ylabel="loss on British words", ylim=(0, None))
    for accent, colour in ACCENTS:
        right.plot(list(over_time), [errors[accent] for errors in over_time.values()], "o-", color=colour, label=accent)
    right.set(xlabel="step", ylabel="phoneme error, new words (%)", ylim=(0, None))
    legend_below(figure, right)
    return figure


def draw_rates(outcome: Mapping[float, Errors], before: Errors) -> Figure:
    figure, axis = new_figure(height=3.1)
    for accent, colour in ACCENTS:
        axis.plot(list(outcome), [errors[accent] for errors in outcome.values()], "o-", color=colour, label=accent)
        axis.axhline(before[accent], color=colour, linestyle=":", linewidth=1, label=f"{accent}, the base before")
    axis.set(xscale="log", xlabel="learning rate", ylabel="phoneme error, new words (%)", ylim=(0, None))
    legend_below(figure, axis)
    return figure


def draw_moved(moved: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.6)
    axis.bar_label(axis.barh(list(moved), list(moved.values()), color=BEFORE), fmt="%.1f", padding=3)
    axis.invert_yaxis()
    axis.set(xlim=(0, 1.15 * max(moved.values())), xlabel="‖W - W₀‖ / ‖W₀‖, mean of the matrices (%)")
    return figure


def draw_memory(sizes: Mapping[str, Mapping[str, tuple[float, float]]]) -> Figure:
    """For each model two bars: activations, and on them everything else."""
    figure, axes = new_figure(columns=len(sizes), height=3.0, squeeze=False)
    for axis, (model, methods) in zip(axes[0], sizes.items(), strict=True):
        kept = [activations for _, activations in methods.values()]
        rest = [total - activations for total, activations in methods.values()]
        axis.bar(list(methods), kept, color=INDIGO, label="activations")
        bars = axis.bar(list(methods), rest, bottom=kept, color=BEFORE, label="weights, gradients, optimizer")
        axis.bar_label(bars, [f"{total:.1f}" for total, _ in methods.values()], padding=2)
        axis.set_title(model)
        axis.margins(y=0.15)
    axes[0][0].set_ylabel("GB")
    legend_below(figure, axes[0][0])
    return figure
