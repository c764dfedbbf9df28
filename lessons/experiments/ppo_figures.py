"""Lesson 25's drawing, with the by-hand example's numbers in it, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, WINE
from lessons.experiments.ppo import BETA, LOG_PROBS, REFERENCE, SCORE, VALUES, advantages_by_hand, gains
from lessons.preferences.figures import draw_inside
from lessons.teaching import Sketch, new_figure
from lessons.teaching.figures import WIDTH


def draw_two_tokens() -> Figure:
    """An answer of two tokens: prices, the score on the last one, values, advantages."""
    rewards, advantages = advantages_by_hand()
    sketch = Sketch(18, 6.6)
    size: dict[str, Any] = {"cell": (1.3, 1.0)}
    both = sketch.matrix(
        2.0, 3.4, [*LOG_PROBS.tolist(), *REFERENCE.tolist()], "tokens 1, 2", ["log π", "log ref"], largest=4, **size
    )
    paid = sketch.matrix(8.4, 3.4, rewards.tolist(), "R: rewards", **size)
    sketch.arrow(both.right, paid.left, f"pay {BETA:g} · log-ratio")
    score = sketch.box(8.4, 5.7, 2.6, 0.8, f"score {SCORE:g}")
    sketch.arrow((score.right[0] - 0.3, score.bottom[1]), (paid.right[0] - 0.3, paid.top[1]))
    value = sketch.matrix(8.4, 0.6, VALUES.tolist(), "V: value head", learnt=True, **size)
    found = sketch.matrix(13.6, 2.2, advantages.tolist(), "A: advantages", **size)
    sketch.arrow(paid.right, found.left, "GAE")
    sketch.arrow(value.right, found.left)
    return sketch.figure


def draw_clip() -> Figure:
    """The gain of a token over its ratio, for both signs of the advantage."""
    figure, panels = new_figure(columns=2, height=3.3)
    ratios = torch.linspace(0.4, 1.6, 241)
    for axis, advantage, name in zip(
        panels, (1.0, -1.0), ("better than expected: A = 1", "worse: A = -1"), strict=True
    ):
        clipped, plain = gains(ratios, advantage)
        axis.plot(ratios, plain, "--", color=BEFORE, label="A · ratio")
        axis.plot(ratios, clipped, color=INDIGO, linewidth=2, label="min(A · ratio, A · clip(ratio))")
        axis.axvspan(0.8, 1.2, color=GREEN, alpha=0.12, linewidth=0)
        axis.set(title=name, xlabel="ratio π / π_old")
    panels[0].set_ylabel("gain")
    legend_below(figure, panels[0], 2)
    return figure


def draw_noise(shifts: Sequence[float], bare: Sequence[float], helped: Sequence[float]) -> Figure:
    figure, axis = new_figure(height=2.9)
    axis.plot(shifts, bare, "o-", color=WINE, label="no baseline")
    axis.plot(shifts, helped, "o-", color=GREEN, label="the mean reward as baseline")
    axis.set(xlabel="added to every reward", ylabel="noise of the gradient", ylim=(0, None))
    legend_below(figure, axis, 2)
    return figure


def draw_watched(arms: Mapping[str, Any]) -> Figure:
    figure = draw_inside(arms)
    figure.set_size_inches(WIDTH, 4.4)
    for axis in figure.axes:
        axis.set_title(axis.get_title(), fontsize=9)
    return figure
