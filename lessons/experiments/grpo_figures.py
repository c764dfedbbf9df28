"""Lesson 27's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import GREEN, WINE
from lessons.experiments.grpo import GROUP
from lessons.preferences.figures import draw_frontier
from lessons.teaching import Sketch, new_figure
from lessons.teaching.figures import WIDTH
from rlhf import grpo_advantages

Curves = tuple[Sequence[float], Sequence[float]]


def draw_group() -> Figure:
    """One prompt, four answers, four rewards; their mean is the baseline."""
    advantages = grpo_advantages(GROUP, len(GROUP))
    sketch = Sketch(18, 5.6)
    prompt = sketch.box(0.1, 1.8, 2.4, 1.4, "one prompt")
    rewards = sketch.matrix(7.6, 0.4, [[reward] for reward in GROUP.tolist()], "rewards", cell=(1.4, 1.0))
    for place in range(len(GROUP)):
        answer = sketch.box(3.9, 3.5 - place, 2.4, 0.8, f"answer {place + 1}")
        sketch.arrow(prompt.right, answer.left)
        sketch.arrow(answer.right, (rewards.left[0], answer.left[1]))
    found = sketch.matrix(
        14.8, 0.4, [[number] for number in advantages.tolist()], "advantages", form=".4f", cell=(2.0, 1.0)
    )
    middle = sketch.box(
        10.0, 1.5, 3.6, 1.8, f"less the mean {float(GROUP.mean()):g},\nby the deviation\n{float(GROUP.std()):.4f}"
    )
    sketch.arrow(rewards.right, middle.left)
    sketch.arrow(middle.right, found.left)
    return sketch.figure


def draw_followed(free: Curves, held: Curves, prices: tuple[float, float]) -> Figure:
    """Proxy and truth over the steps, without a price and with one."""
    figure, panels = new_figure(columns=2, height=3.3, sharey=True)
    for axis, curves, price in zip(panels, (free, held), prices, strict=True):
        for values, colour, name in zip(
            curves, (WINE, GREEN), ("proxy: what is followed", "truth: what is meant"), strict=True
        ):
            axis.plot(values, color=colour, label=name)
        axis.set(title=f"β = {price:g}", xlabel="step")
    legend_below(figure, panels[0], 2)
    return figure


def draw_kept_frontier(arms: Mapping[str, Any]) -> Figure:
    figure = draw_frontier(arms)
    figure.set_size_inches(WIDTH, 4.0)
    return figure
