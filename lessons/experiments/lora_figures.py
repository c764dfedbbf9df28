"""Lesson 13's drawings, with the by-hand example's numbers in them, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.compare.lora_study import PLACES, RANK, RANKS, draw_line, trained_parameters
from lessons.drawing.labels import legend_below
from lessons.drawing.style import AMERICAN, BEFORE, BLACK, BRITISH, INDIGO
from lessons.experiments.lora import ALPHA, A, B, Spectrum, W, X
from lessons.teaching import Sketch, new_figure

SCALE = ALPHA / len(A)


def draw_two_ways() -> Figure:
    """x goes through W, and beside it through A and B; the two results are added."""
    x, narrow = X[:, None], A @ X[:, None]
    sketch = Sketch(18.5, 7.4)
    sketch.matrix(0.6, 2.2, x.tolist(), "x")
    frozen = sketch.matrix(5.0, 4.9, W.tolist(), "W, frozen")
    large = sketch.matrix(12.6, 4.9, (W @ x).tolist(), "W x")
    down = sketch.matrix(3.4, 0.9, A.tolist(), "A", learnt=True)
    middle = sketch.matrix(7.7, 0.9, narrow.tolist(), "A x")
    up = sketch.matrix(10.0, 0.4, B.tolist(), "B", learnt=True)
    thin = sketch.matrix(12.6, 0.4, (SCALE * B @ narrow).tolist(), "2 B A x")
    result = sketch.matrix(16.6, 2.6, (W @ x + SCALE * B @ narrow).tolist(), "y")
    plus = sketch.box(14.8, 3.1, 0.9, 0.9, "+")
    sketch.arrow((1.6, 4.2), frozen.left)
    sketch.arrow((1.6, 3.2), down.left)
    for start, end in ((frozen, large), (down, middle), (middle, up)):
        sketch.arrow(start.right, end.left)
    sketch.arrow(up.right, thin.left, "· α/r")
    sketch.arrow(large.right, plus.top)
    sketch.arrow(thin.right, plus.bottom)
    sketch.arrow(plus.right, result.left)
    return sketch.figure


def draw_merged() -> Figure:
    """W and the product of the thin matrices make one matrix of the same size."""
    update = SCALE * B @ A
    sketch = Sketch(18.5, 3.2)
    whole = sketch.matrix(0.6, 0.4, W.tolist(), "W")
    up = sketch.matrix(5.6, 0.4, B.tolist(), "B", learnt=True)
    down = sketch.matrix(6.9, 1.4, A.tolist(), "A", learnt=True)
    change = sketch.matrix(11.0, 0.4, update.tolist(), "ΔW = 2 B A, of rank 1")
    merged = sketch.matrix(15.3, 0.4, (W + update).tolist(), "W + ΔW")
    sketch.text((whole.right[0] + up.left[0]) / 2, 1.4, "+  2 ·", 12)
    sketch.text((down.right[0] + change.left[0]) / 2, 1.4, "→", 12)
    sketch.text((change.right[0] + merged.left[0]) / 2, 1.4, "→", 12)
    return sketch.figure


def draw_spectra(found: Mapping[str, Spectrum]) -> Figure:
    """Singular values, the largest as 1: LoRA's end after 8, full fine-tuning's do not."""
    figure, axes = new_figure(columns=len(found), height=3.0, sharey=True)
    for axis, (path, each) in zip(axes, found.items(), strict=True):
        places = range(1, len(each.whole) + 1)
        axis.semilogy(places, (each.whole / each.whole[0]).clamp(min=1e-8), color=BLACK, label="full fine-tuning")
        axis.semilogy(places, (each.low / each.low[0]).clamp(min=1e-8), color=INDIGO, label=f"LoRA, r = {RANK}")
        axis.axvline(RANK, color=BEFORE, linewidth=0.8, linestyle="--")
        axis.set_title(named(path), fontsize=9)
        axis.set_xlabel("which singular value")
    axes[0].set_ylabel("size, the first is 1")
    legend_below(figure, axes[0])
    return figure


def named(path: str) -> str:
    """encoder.layers.0.feed_forward.fc1 → encoder 0, feed forward, fc1"""
    stack, _, layer, *part = path.split(".")
    return f"{stack} {layer}\n{part[0].replace('_', ' ')}, {part[-1]}"


def draw_ranks(errors: Mapping[int, float], untuned: float) -> Figure:
    figure, axis = new_figure(height=2.7)
    axis.plot(list(errors), list(errors.values()), "o-", color=INDIGO)
    axis.axhline(untuned, color=BEFORE, linestyle="--")
    axis.annotate("the base", (min(errors), untuned), (0, -12), textcoords="offset points", color=BEFORE)
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(errors), [str(rank) for rank in errors])
    axis.set(xlabel="rank", ylabel="British phoneme error (%)", ylim=(0, 1.1 * max(untuned, *errors.values())))
    return figure


def draw_places_and_ranks(study: Mapping[str, Any]) -> Figure:
    """The kept study: left where LoRA sits, right its rank; hollow at one rate for all, full at its own."""
    figure, (left, right) = new_figure(columns=2, height=3.4, sharey=True)
    draw_line(left, dict(study), [(place, RANK) for place in PLACES])
    counts = [round(trained_parameters(dict(study), place, RANK) / 1000) for place in PLACES]
    names = [f"{place}\n{count} k" for place, count in zip(PLACES, counts, strict=True)]
    left.set_xticks(range(len(PLACES)), names, fontsize=7)
    left.set(xlabel="place, and its parameters", ylabel="British word error (%)")
    draw_line(right, dict(study), [("all linear", rank) for rank in RANKS])
    right.set_xticks(range(len(RANKS)), [str(rank) for rank in RANKS])
    right.set_xlabel("rank, on all linear layers")
    legend_below(figure, right, 2)
    return figure


def draw_memory(ratios: Mapping[str, Sequence[float]], batches: Sequence[int]) -> Figure:
    """LoRA's memory as a share of full fine-tuning's, over the batch; above 1 LoRA needs more."""
    figure, axis = new_figure(height=2.9)
    for (model, found), marker in zip(ratios.items(), "osD", strict=True):
        axis.plot(batches, found, f"{marker}-", label=model, markersize=4)
    axis.axhline(1, color=BEFORE, linestyle="--")
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(batches), [str(batch) for batch in batches])
    axis.set(xlabel="sequences of 512 tokens in a batch", ylabel="LoRA's bytes / full's", ylim=(0, None))
    legend_below(figure, axis)
    return figure


def draw_mixtures(errors: Mapping[str, Sequence[float]], shares: Sequence[float]) -> Figure:
    figure, axis = new_figure(height=2.8)
    for (accent, found), colour in zip(errors.items(), (BRITISH, AMERICAN), strict=True):
        name = "British" if accent == "british" else "American without stress marks"
        axis.plot(shares, found, "o-", color=colour, label=f"scored as {name}")
    axis.set(xlabel="w, in w · british + (1 - w) · cmu", ylabel="phoneme error (%)", ylim=(0, None))
    legend_below(figure, axis)
    return figure
