"""Lesson 26's drawing, with the by-hand example's numbers in it, and its figures."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, WINE
from lessons.experiments.dpo import (
    ARM,
    BETA,
    POLICY_CHOSEN,
    POLICY_REJECTED,
    REFERENCE,
    REFERENCE_CHOSEN,
    REFERENCE_REJECTED,
    best_policy,
)
from lessons.preferences.figures import draw_words, history
from lessons.teaching import Sketch, new_figure
from lessons.teaching.figures import WIDTH


def draw_pair() -> Figure:
    """Four log-probabilities, two log-ratios, one difference, the loss."""
    sketch = Sketch(18, 5.6)
    size: dict[str, Any] = {"cell": (1.5, 1.1), "largest": 14.0}
    values = [[POLICY_CHOSEN, REFERENCE_CHOSEN], [POLICY_REJECTED, REFERENCE_REJECTED]]
    logs = sketch.matrix(2.2, 1.4, values, "log π, log ref", ["chosen", "rejected"], **size)
    chosen, rejected = POLICY_CHOSEN - REFERENCE_CHOSEN, POLICY_REJECTED - REFERENCE_REJECTED
    ratios = sketch.matrix(6.9, 1.4, [[chosen], [rejected]], "log-ratios", cell=(1.5, 1.1), largest=6)
    sketch.arrow(logs.right, ratios.left, "less")
    difference = sketch.box(9.9, 1.8, 2.4, 1.4, f"h = {chosen - rejected:g}")
    sketch.arrow(ratios.right, difference.left)
    margin = BETA * (chosen - rejected)
    loss = sketch.box(14.0, 1.8, 3.9, 1.4, f"-log σ(β h)\n= {math.log1p(math.exp(-margin)):.4f}")
    sketch.arrow(difference.right, loss.left, f"β = {BETA:g}")
    sketch.text(7.65, 0.7, "both fell; only the difference counts", 9)
    return sketch.figure


def draw_best() -> Figure:
    """The reference and the best policies at three prices."""
    figure, axis = new_figure(height=2.8)
    policies = [REFERENCE, *(best_policy(beta)[0] for beta in (4.0, 1.0, 0.3))]
    names = ["reference", "β = 4", "β = 1", "β = 0.3"]
    for place, (policy, name) in enumerate(zip(policies, names, strict=True)):
        shade = (BEFORE, GREEN, INDIGO, WINE)[place]
        axis.bar([answer + 0.2 * (place - 1.5) for answer in range(3)], policy.tolist(), 0.19, color=shade, label=name)
    axis.set_xticks(range(3), ["reward 0", "reward 1", "reward 2"])
    axis.set(ylabel="probability", ylim=(0, 1.05))
    legend_below(figure, axis)
    return figure


def draw_both_sides(arms: Mapping[str, Any]) -> Figure:
    """The mean log-ratio to the reference of the chosen and of the rejected answers, step by step."""
    figure, axis = new_figure(height=3.2)
    for side, shade in (("chosen", GREEN), ("rejected", WINE)):
        values = history(arms[ARM], f"{side}_log_ratio")
        axis.plot(range(1, len(values) + 1), values, color=shade, label=side)
    axis.axhline(0.0, color=BEFORE, linewidth=0.8)
    axis.set(xlabel="step", ylabel="log π / ref, nats per answer")
    legend_below(figure, axis)
    return figure


def draw_real_words(arms: Mapping[str, Any]) -> Figure:
    figure = draw_words(arms)
    figure.set_size_inches(WIDTH, 3.4)
    return figure
