"""Lesson 24's drawing, with the by-hand example's numbers in it, and its figures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, WINE
from lessons.experiments.reward_model import CHOSEN, REJECTED
from lessons.preferences.calibration import draw_calibration
from lessons.teaching import Sketch, new_figure
from lessons.teaching.figures import WIDTH


def draw_two_answers() -> Figure:
    """One model reads both answers; only the difference of its two numbers meets the judgement."""
    sketch = Sketch(18, 6.4)
    sure = 1 / (1 + math.exp(REJECTED - CHOSEN))
    difference = sketch.box(9.6, 2.4, 2.6, 1.4, f"{CHOSEN:g} - {REJECTED:g} = {CHOSEN - REJECTED:g}")
    for height, name, reward in ((4.4, "chosen", CHOSEN), (0.4, "rejected", REJECTED)):
        answer = sketch.box(0.1, height, 3.2, 1.4, f"prompt,\n{name} answer")
        model = sketch.box(4.4, height, 3.0, 1.4, "reward model", learnt=True)
        sketch.arrow(answer.right, model.left)
        sketch.arrow(model.right, difference.left, f"r = {reward:g}")
    sketch.text(5.9, 3.1, "the same weights", 9)
    chance = sketch.box(13.2, 2.4, 4.4, 1.4, f"σ(1) = {sure:.3f}\nloss = {-math.log(sure):.3f}")
    sketch.arrow(difference.right, chance.left)
    return sketch.figure


def draw_surprise() -> Figure:
    """The loss and the size of its gradient over the difference of the rewards."""
    figure, axis = new_figure(height=3.0)
    difference = np.linspace(-4, 4, 200)
    axis.plot(difference, np.log1p(np.exp(-difference)), color=INDIGO, label="loss, -log σ(difference)")
    axis.plot(difference, 1 / (1 + np.exp(difference)), color=WINE, label="push on each reward, 1 - σ(difference)")
    axis.axvline(0, color=BEFORE, linewidth=0.8)
    axis.set(xlabel="r chosen - r rejected", ylim=(0, None))
    legend_below(figure, axis, 2)
    return figure


def draw_repeats(found: Sequence[tuple[float, float]]) -> Figure:
    """The reward and the truth of good notes, the more letters are said again."""
    figure, panels = new_figure(columns=2, height=3.0)
    for axis, values, colour, name in zip(
        panels, zip(*found, strict=True), (WINE, GREEN), ("reward model", "truth"), strict=True
    ):
        axis.plot(range(len(values)), values, "o-", color=colour)
        axis.set(title=name, xlabel="letters said again")
    return figure


def draw_sureness(worlds: Mapping[str, Any]) -> Figure:
    figure = draw_calibration(worlds)
    figure.set_size_inches(WIDTH, 3.6)
    for axis in figure.axes:
        axis.legend(loc="lower right")
    return figure


def draw_people(domains: Mapping[str, Mapping[str, float]]) -> Figure:
    """People beside people, and the model beside people."""
    figure, axis = new_figure(height=3.0)
    for shift, who, colour, name in (
        (-0.2, "people", BEFORE, "people with people"),
        (0.2, "model", INDIGO, "reward model with people"),
    ):
        axis.bar(np.arange(len(domains)) + shift, [100 * found[who] for found in domains.values()], 0.38, color=colour, label=name)  # fmt: skip
    axis.axhline(50, color=WINE, linestyle="--", linewidth=1, label="a coin")
    axis.set_xticks(range(len(domains)), domains)
    axis.set(ylabel="pairs in which they agree (%)", ylim=(40, 100))
    legend_below(figure, axis, 3)
    return figure
