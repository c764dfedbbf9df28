"""Lesson 9's drawing, with the schedule by hand in it, and its figures."""

import itertools
import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, INDIGO, ORANGE
from lessons.experiments.pretraining import STEPS, Short, padding_share, rates_by_hand, two_ways_to_batch
from lessons.experiments.pretraining_recipe import ingredients, starts
from lessons.task.dictionary import vocabulary
from lessons.teaching import Sketch, new_figure
from transformer import collate, cosine_schedule
from transformer.learning.batching import Pair


def draw_loop() -> Figure:
    """One step of training, and how large the steps of the example by hand are."""
    sketch = Sketch(18, 6.6)
    names = ("batch", "model", "loss", "gradient", "AdamW")
    boxes = [sketch.box(0.3 + 3.6 * place, 3.8, 2.6, 1.1, name) for place, name in enumerate(names)]
    for one, other in itertools.pairwise(boxes):
        sketch.arrow(one.right, other.left)
    sketch.arrow(boxes[-1].top, boxes[1].top, "new weights", curve=0.25)
    rates = sketch.matrix(9.5, 1.0, [rates_by_hand()], form=".4g", cell=(1.9, 1.0))
    sketch.arrow((rates.right[0] - 0.2, 2.0), boxes[-1].bottom)
    for place, step in enumerate(STEPS):
        sketch.text(10.45 + 1.9 * place, 2.05, f"step {step}", 9, va="bottom")
    sketch.text(9.2, 1.5, "learning rate: up while it\nwarms up, then down", 9, ha="right")
    return sketch.figure


def draw_schedule(settings: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.7)
    total, peak = int(settings["steps"]), settings["learning_rate"]
    steps = range(1, total + 1, 40)
    axis.plot(steps, [peak * cosine_schedule(step, total, int(settings["warmup"])) for step in steps], color=INDIGO)
    axis.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    return figure


def draw_padding(examples: Sequence[Pair]) -> Figure:
    figure, axes = new_figure(columns=2, height=3.0)
    for axis, (name, batches) in zip(axes, two_ways_to_batch(examples).items(), strict=True):
        batch = collate([examples[index] for index in batches[1][:40]], vocabulary().pad_id, vocabulary().bos_id)
        axis.imshow(
            batch.labels != vocabulary().pad_id, cmap="Blues", vmin=0, vmax=1.4, aspect="auto", interpolation="nearest"
        )
        axis.set(title=f"{name}:\n{padding_share(examples, batches):.1f} % padding", xlabel="place in the target")
    axes[0].set_ylabel("row of a batch")
    return figure


def draw_short(found: Short, base_error: float) -> Figure:
    figure, (left, right) = new_figure(columns=2, height=3.0)
    left.plot(range(1, len(found.losses) + 1), found.losses, color=INDIGO, linewidth=0.8)
    left.axhline(math.log(len(vocabulary())), color=BEFORE, linestyle=":", label="guessing evenly")
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    right.plot(list(found.errors), list(found.errors.values()), "o-", color=AMERICAN)
    right.axhline(base_error, color=BEFORE, linestyle="--")
    right.text(max(found.errors), base_error + 2, "the base", ha="right", fontsize=9)
    right.set(xlabel="step", ylabel="phoneme error, new words (%)", ylim=(0, None))
    legend_below(figure, left)
    return figure


def draw_lengths(wrong: Mapping[str, Mapping[str, float]]) -> Figure:
    figure, axis = new_figure(height=2.9)
    for shift, (name, shares), colour in zip((-0.2, 0.2), wrong.items(), (INDIGO, ORANGE), strict=True):
        groups = [group for group in shares if group != "all"]
        bars = axis.bar(
            [place + shift for place in range(len(groups))], [shares[g] for g in groups], 0.38, label=name, color=colour
        )
        axis.bar_label(bars, fmt="%.0f", fontsize=8)
    axis.set_xticks(range(len(groups)), groups)
    axis.set(xlabel="letters in the word", ylabel="words wrong (%)")
    legend_below(figure, axis)
    return figure


def draw_recipe() -> Figure:
    """Left: word error over how far the letters are moved. Right: rate and decay. From the kept exploration."""
    figure, (left, right) = new_figure(columns=2, height=3.6)
    for name, errors in starts().items():
        left.plot([int(place) for place in errors], list(errors.values()), "o-", markersize=4, label=name)
    left.set(xlabel="letters moved by", ylabel="word error (%)", ylim=(0, 105))
    bars = right.barh(list(ingredients()), list(ingredients().values()), color=BEFORE)
    right.bar_label(bars, fmt="%.1f", padding=3)
    right.invert_yaxis()
    right.tick_params(axis="y", labelsize=8)
    right.set(xlabel="word error (%)", xlim=(0, 34))
    legend_below(figure, left, columns=3)
    return figure


def draw_spelling(curve: Mapping[int, float]) -> Figure:
    figure, axis = new_figure(height=2.6)
    axis.plot(list(curve), list(curve.values()), "o-", markersize=3, color=INDIGO)
    axis.set(xlabel="step", ylabel="loss on new words")
    return figure
