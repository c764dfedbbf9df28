"""Lesson 16's drawing, with the example's numbers and the bits of each part, and its figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from lessons.drawing.families import family
from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BLACK, GREEN, NOTE, SKY, WINE
from lessons.experiments.qlora import CARD, UPDATE, layer_by_hand
from lessons.memory.plan import KINDS, Plan
from lessons.teaching import Sketch, new_figure
from quant import unpack_nibbles


def draw_bits() -> Figure:
    """Codes and a scale become bf16 for one product; A and B in 32 bits stand beside it."""
    packed: Any = layer_by_hand().base
    codes, weights = unpack_nibbles(packed.codes.flatten(), 16)[:4].tolist(), packed.dequantized()[0, :4].tolist()
    product = sum(weights[:3])
    sketch = Sketch(18.8, 8.2)
    code = sketch.matrix(1.3, 5.6, [codes], "codes of W: 4 bits each", largest=30)
    scale = sketch.matrix(1.3, 3.3, [[0.5]], "scale: 32 bits, for a block", cell=(1.3, 1))
    table = sketch.box(6.5, 4.4, 2.4, 1.4, "levels\n× scale")
    wide = sketch.matrix(10.0, 4.6, [weights], "Ŵ: bf16, 16 bits", form=".3f", cell=(1.55, 1.0))
    large = sketch.matrix(17.2, 4.6, [[product]], "x Ŵᵀ", form=".3f", cell=(1.4, 1))
    down = sketch.matrix(5.6, 0.8, [[1.0, 0, 0, 0]], "A: 32 bits, learns", learnt=True)
    up = sketch.matrix(11.4, 0.8, [[UPDATE]], "B: 32 bits, learns", learnt=True, cell=(1.4, 1))
    result = sketch.matrix(17.2, 1.4, [[product + UPDATE]], "", form=".3f", cell=(1.4, 1))
    sketch.text(*down_by(result.bottom, 0.4), "y")
    sketch.arrow(code.right, table.left)
    sketch.arrow(scale.right, table.left)
    sketch.arrow(table.right, wide.left)
    sketch.arrow(wide.right, large.left, "· x")
    sketch.arrow(down.right, up.left)
    sketch.arrow(up.right, result.left)
    sketch.arrow(large.bottom, result.top)
    sketch.text(
        wide.bottom[0],
        4.1,
        "made for one product, then thrown away;\nagain in the backward pass",
        9,
        va="top",
        color=NOTE,
    )
    sketch.text(3.3, 7.7, "kept all the time, never changed", 9, color=NOTE)
    return sketch.figure


def down_by(point: tuple[float, float], distance: float) -> tuple[float, float]:
    return point[0], point[1] - distance


def draw_losses(losses: Mapping[str, Sequence[float]]) -> Figure:
    figure, axis = new_figure(height=2.9)
    styles = ((family("lora").colour, "--"), (SKY, "-"))
    for (name, values), (colour, line) in zip(losses.items(), styles, strict=True):
        axis.plot(range(1, len(values) + 1), values, line, color=colour, label=name)
    axis.set(xlabel="step", ylabel="training loss", yscale="log")
    legend_below(figure, axis)
    return figure


def draw_merges(lengths: Sequence[float], lost: Sequence[float], errors: Mapping[str, float], before: float) -> Figure:
    """Left the rounding error over the length of the update, right the error of each way to merge."""
    figure, (left, right) = new_figure(columns=2, height=3.2, width_ratios=[2, 3])
    left.plot(lengths, lost, "o-", color=SKY)
    left.set(xscale="log", xlabel="length of ΔW (% of Ŵ)", ylabel="rounding error (% of ΔW)", ylim=(0, None))
    bars = right.bar(list(errors), list(errors.values()), color=[SKY, SKY, WINE, GREEN])
    right.bar_label(bars, fmt="%.1f", fontsize=9)
    right.axhline(before, color=BEFORE, linestyle="--")
    right.annotate("Ŵ alone", (-0.4, before), (0, 3), textcoords="offset points", color=BEFORE, fontsize=9)
    right.tick_params(axis="x", labelsize=7)
    right.set(ylabel="British phoneme error (%)", ylim=(0, 1.2 * max(before, *errors.values())))
    return figure


def draw_memory(found: Mapping[str, Plan]) -> Figure:
    """Bytes by kind: above all techniques, below the last one alone, up to the card's memory and a little beyond."""
    figure, (whole, zoom) = new_figure(rows=2, height=4.2, height_ratios=[3, 1])
    kinds = [kind for kind in KINDS if any(each.bytes[kind] for each in found.values())]
    for axis, methods in ((whole, list(found)), (zoom, list(found)[-1:])):
        left = [0.0] * len(methods)
        for kind in kinds:
            sizes = [found[method].bytes[kind] / 1e9 for method in methods]
            axis.barh(methods, sizes, left=left, label=kind)
            left = [start + width for start, width in zip(left, sizes, strict=True)]
        axis.axvline(CARD, color=BLACK, linestyle="--", linewidth=1)
        axis.invert_yaxis()
    zoom.set(xlim=(0, CARD + 2), xlabel="GB; dashed: a card of 24 GB")
    legend_below(figure, whole)
    return figure
