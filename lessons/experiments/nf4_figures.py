"""Lesson 15's drawing of a block by hand, and its figures."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lessons.drawing.style import BEFORE, BLACK, GREEN, INDIGO, ORANGE, SKY, WINE
from lessons.experiments.nf4 import BLOCK, NAMES, bits_of
from lessons.teaching import Sketch, new_figure
from quant import CODEBOOKS, NF4_CODEBOOK, dequantize_4bit, quantize_4bit, unpack_nibbles

PARTS = {"s": ORANGE, "e": WINE, "m": SKY, "i": GREEN}


def draw_block() -> Figure:
    """Four weights of a block: divided by the largest, put on the nearest level, kept as a code, read again."""
    quantized = quantize_4bit(BLOCK, block_size=16)
    scale = quantized.scales.item()
    codes = unpack_nibbles(quantized.codes, len(BLOCK))[:4]
    columns = {
        "weight": (BLOCK[:4], ".3g"),
        "÷ scale": (BLOCK[:4] / scale, ".3g"),
        "level": (NF4_CODEBOOK[codes.long()], ".3f"),
        "code": (codes, ".0f"),
        "back": (dequantize_4bit(quantized)[:4], ".4f"),
    }
    sketch = Sketch(18.8, 8.4)
    places = []
    for place, (name, (values, form)) in enumerate(columns.items()):
        largest = 30 if name == "code" else None
        column = [[value] for value in values.tolist()]
        places.append(sketch.matrix(0.6 + 4 * place, 0.5, column, name, form=form, cell=(1.7, 1), largest=largest))
    for left, right, text in zip(places, places[1:], ("÷ 0.5", "nearest", "its number", "level × 0.5"), strict=False):
        sketch.arrow(left.right, right.left, text)
    line, width = 6.7, 8.4
    sketch.arrow((9.4 - width - 0.3, line), (9.4 + width + 0.4, line))
    for level in NF4_CODEBOOK.tolist():
        sketch.axis.plot([9.4 + width * level] * 2, [line - 0.25, line + 0.25], color=INDIGO, linewidth=1.5)
    for value in (BLOCK[:4] / scale).tolist():
        sketch.axis.plot(9.4 + width * value, line, "o", color=ORANGE, markersize=6, zorder=6)
        sketch.text(9.4 + width * value, line + 0.6, f"{value:g}", 9)
    for end in (-1, 1):
        sketch.text(9.4 + width * end, line - 0.6, f"{end}", 9)
    sketch.text(9.4, line + 1.3, "16 levels (lines), and the four weights over the scale (dots)", 9)
    return sketch.figure


def draw_bits(number: float) -> Figure:
    """The bits of one number in five formats."""
    figure, axis = new_figure(height=2.5)
    for line, name in enumerate(NAMES):
        text, parts, value = bits_of(number, name)
        for place, (bit, part) in enumerate(zip(text, parts, strict=True)):
            axis.add_patch(Rectangle((place, -line), 0.9, 0.8, color=PARTS[part], alpha=0.7))
            axis.text(place + 0.45, 0.4 - line, bit, ha="center", va="center", fontsize=8)
        axis.text(-0.4, 0.4 - line, name, ha="right", va="center")
        axis.text(32.6, 0.4 - line, f"{value:.9g}", va="center", fontsize=8)
    axis.set(xlim=(-3, 39), ylim=(-4.9, 1))
    axis.text(0, -4.7, "orange: sign, dark red: exponent, blue: mantissa, green: whole number of steps", fontsize=8)
    axis.axis("off")
    return figure


def draw_levels(relative: Tensor) -> Figure:
    """NF4's levels and equally spaced ones over the base's weights."""
    figure, axes = new_figure(rows=2, height=4.2, sharex=True)
    for axis, (name, title, colour) in zip(
        axes, (("nf4", "NF4", INDIGO), ("uniform", "16 equally spaced levels", ORANGE)), strict=True
    ):
        axis.hist(relative.numpy(), bins=160, range=(-1, 1), color="#cccccc")
        axis.vlines(CODEBOOKS[name].tolist(), 0, axis.get_ylim()[1], color=colour, linewidth=1.2)
        axis.set(yticks=[], title=title)
    axes[1].set_xlabel("weight / largest of its block (peaks at ±1: the largest ones themselves)")
    return figure


def draw_rounded(errors: Mapping[str, float]) -> Figure:
    figure, axis = new_figure(height=2.9)
    bars = axis.bar(list(errors), list(errors.values()), color=[BLACK, INDIGO, ORANGE, SKY, GREEN, WINE])
    axis.bar_label(bars, fmt="%.2f", fontsize=9)
    axis.set(ylabel="American phoneme error (%)")
    axis.margins(y=0.15)
    return figure


def draw_blocks(
    errors: Mapping[str, Sequence[float]], bits: Mapping[str, Sequence[float]], sizes: Sequence[int]
) -> Figure:
    """Over the block size: the error of all other weights, and the bits for each weight."""
    figure, (left, right) = new_figure(columns=2, height=3.3)
    curves(left, errors, sizes, (INDIGO, WINE))
    curves(right, bits, sizes, (BEFORE, SKY))
    left.set(title="RMS error of the other weights", ylim=(0, None))
    right.set(title="bits for each weight")
    handles = [each.get_legend_handles_labels() for each in (left, right)]
    figure.legend(
        handles[0][0] + handles[1][0], handles[0][1] + handles[1][1], fontsize=8, loc="outside lower center", ncols=2
    )
    return figure


def curves(axis: Axes, found: Mapping[str, Sequence[float]], sizes: Sequence[int], colours: Sequence[str]) -> None:
    for (name, values), colour in zip(found.items(), colours, strict=True):
        axis.plot(sizes, values, "o-", color=colour, label=name, markersize=4)
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(sizes), [str(size) for size in sizes], fontsize=8)
    axis.set_xlabel("block size")
